"""Runs whose protocol has their blocks compiled."""

from collections.abc import Iterator

import pytest
import torch
from torch import nn

from ablate.errors import Interrupted
from ablate.train import work
from train.run_helpers import SHORT, PlanRun, failure_of, outcome, stop_after


@pytest.fixture(autouse=True)
def dynamo_as_it_was() -> Iterator[None]:
    config = torch._dynamo.config
    limits = ("recompile_limit", "accumulated_recompile_limit", "fail_on_recompile_limit_hit")
    torch._dynamo.reset()
    with config.patch({limit: getattr(config, limit) for limit in limits}):
        yield
    torch._dynamo.reset()


@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor:UserWarning")
def test_a_stopped_cohort_of_compiled_runs_goes_on_where_it_was(
    plan_run: PlanRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Graphs run as they are: the C++ would take minutes."""
    compile_in_place, blocks = nn.Module.compile, []

    def captured(self: nn.Module, **how: object) -> None:
        blocks.append(self)
        compile_in_place(self, backend="eager", **how)

    monkeypatch.setattr(nn.Module, "compile", captured)
    monkeypatch.setattr("ablate.models.compiling._check_compiler", lambda device: None)
    undisturbed, stopped = (
        [
            plan_run(name, SHORT, "epochs=1", "compile=true", store=store)
            for name in ("translandseg", "translandseg-1")
        ]
        for store in ("undisturbed", "stopped")
    )
    work([folder.path for folder in undisturbed], "cpu")
    with monkeypatch.context() as patch:
        stop_after(patch, 1)
        with pytest.raises(Interrupted):
            work([folder.path for folder in stopped], "cpu")
    work([folder.path for folder in stopped], "cpu")
    assert [outcome(each) for each in stopped] == [outcome(each) for each in undisturbed]
    # Four blocks each, in three rounds.
    assert len(blocks) == 3 * 2 * 4


def test_without_a_compiler_the_run_says_so(plan_run: PlanRun) -> None:
    folder = plan_run("translandseg", SHORT, "compile=true")
    with torch._inductor.config.patch({"cpp.cxx": ("no-such-compiler",)}):
        work([folder.path], "cpu")
    assert failure_of(folder) == (
        "BadInput: the protocol says compile: true, but there is no C++ compiler; "
        "install one, or leave the protocol's `compile` at false"
    )
    assert folder.events() == []
