"""Runs of rows besides the ATL: what is killed and resumed ends bit for bit as if it was not."""

import pytest
from safetensors import safe_open

from ablate.errors import Interrupted
from ablate.train import work
from train.run_helpers import SHORT, PlanRun, finished, outcome, stop_after

ROWS = (
    *("lora", "dora", "ia3", "loha", "lokr", "hira", "delora", "miss"),
    *("adaptformer", "ssf", "houlsby", "bottlenecks-parallel", "bottlenecks-mixed"),
    *("norm-tuning", "bitfit", "full-fine-tuning"),
)


@pytest.mark.parametrize("variant", ROWS)
def test_a_stopped_run_ends_bit_for_bit_as_an_undisturbed_one(
    plan_run: PlanRun, monkeypatch: pytest.MonkeyPatch, variant: str
) -> None:
    undisturbed = plan_run(variant, SHORT, store="undisturbed")
    work([undisturbed.path], "cpu")
    stopped = plan_run(variant, SHORT, store="stopped")
    with monkeypatch.context() as patched:
        stop_after(patched, 4)
        with pytest.raises(Interrupted):
            work([stopped.path], "cpu")
    work([stopped.path], "cpu")
    assert outcome(stopped) == outcome(undisturbed)
    with safe_open(stopped.weights_path, "pt") as weights:
        held = sum(weights.get_tensor(name).numel() for name in weights.keys())  # noqa: SIM118
    assert held == finished(stopped).parameters.trainable


def test_runs_of_a_cohort_leave_bit_for_bit_what_each_leaves_alone(plan_run: PlanRun) -> None:
    # Full fine-tuning changes only its own copy of the encoder.
    rows = ("translandseg", "full-fine-tuning", "lora")
    alone = [plan_run(row, SHORT, store=row) for row in rows]
    for folder in alone:
        work([folder.path], "cpu")
    together = [plan_run(row, SHORT, store="together") for row in rows]
    work([folder.path for folder in together], "cpu")
    assert [outcome(each) for each in together] == [outcome(each) for each in alone]
