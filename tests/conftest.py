"""Fixtures that several rooms' tests share."""

import pytest

from ablate.registry import Catalogue
from ablate.spec import NANO_WEIGHTS, Context, DataIdentity, Protocol, RunSpec


@pytest.fixture
def demo() -> Protocol:
    return Catalogue().protocol("demo")


@pytest.fixture
def context(demo: Protocol) -> Context:
    data = DataIdentity(label="generated data", digest="0" * 64, train=159, validation=69)
    return Context(protocol=demo, data=data, weights=NANO_WEIGHTS)


@pytest.fixture
def run_spec(context: Context) -> RunSpec:
    return RunSpec(
        name="translandseg",
        variant=Catalogue().variant("translandseg"),
        context=context,
        seed=0,
    )
