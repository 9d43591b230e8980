"""The sweep that nothing disturbs, once for all tests."""

import pytest

from chaos.comparison import outcome
from chaos.session import complete


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    """What must be the same in every store in the end."""
    folder = tmp_path_factory.mktemp("undisturbed")
    complete(folder)
    return outcome(folder / "store")
