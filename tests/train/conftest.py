"""Runs that are planned with a tiny protocol."""

from pathlib import Path

import pytest

from ablate.data import identify, open_images
from ablate.plan import identify_resnets, provenance
from ablate.registry import Catalogue
from ablate.runs import RunFolder, SpecFile, Store
from ablate.spec import NANO_WEIGHTS, Context, RunSpec
from train.run_helpers import TINY, PlanRun


@pytest.fixture
def plan_run(tmp_path: Path) -> PlanRun:
    """Makes the folder of a run: ``plan_run(variant, *overrides, store=…, seed=…)``."""

    def make(variant: str, *overrides: str, store: str = "store", seed: int = 0) -> RunFolder:
        catalogue = Catalogue()
        protocol = catalogue.protocol("demo", [*TINY, *overrides])
        data = identify(open_images(protocol.data, None), protocol.split)
        built = catalogue.variant(variant)
        context = Context(
            protocol=protocol,
            data=data,
            weights=NANO_WEIGHTS,
            resnets=identify_resnets([built], []),
        )
        spec = RunSpec(name=variant, variant=built, context=context, seed=seed)
        folder = Store(tmp_path / store).run(spec.key)
        folder.create(SpecFile(key=spec.key, run=spec, provenance=provenance()))
        return folder

    return make
