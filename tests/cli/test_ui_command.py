"""``ablate ui``: on this machine alone, unless told otherwise, and then with a warning."""

import inspect
from typing import Any

import pytest

from ablate import tracking
from ablate.cli.app import app
from ablate.tracking import ui


@pytest.mark.parametrize(
    ("words", "host", "is_warned"),
    [
        ([], "127.0.0.1", False),
        (["--host", "127.0.0.2"], "127.0.0.2", False),
        (["--host", "::1"], "::1", False),
        (["--host", "localhost"], "localhost", False),
        (["--host", "0.0.0.0"], "0.0.0.0", True),
        (["--host", "::"], "::", True),
        (["--host", "my-machine"], "my-machine", True),
    ],
)
def test_other_machines_are_warned_of(
    words: list[str],
    host: str,
    is_warned: bool,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    served: list[Any] = []
    monkeypatch.setattr(tracking, "serve_ui", lambda *given: served.append(given) or 0)
    with pytest.raises(SystemExit) as left:
        app(["ui", *words])
    assert left.value.code == 0
    ((_, port, uri, found),) = served
    assert (port, uri, found) == (5000, None, host)
    assert ("asks for no password" in " ".join(capsys.readouterr().err.split())) == is_warned


def test_the_interface_of_python_is_on_this_machine_alone() -> None:
    assert inspect.signature(tracking.serve_ui).parameters["host"].default == "127.0.0.1"
    assert inspect.signature(ui.serve).parameters["host"].default is inspect.Parameter.empty
