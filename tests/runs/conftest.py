import pytest

from ablate.registry import Catalogue
from ablate.spec import Context, RunSpec


@pytest.fixture
def zero_shot_spec(context: Context) -> RunSpec:
    """A run that is only evaluated."""
    variant = Catalogue().variant("sam-points")
    return RunSpec(name="sam-points", variant=variant, context=context, seed=0)
