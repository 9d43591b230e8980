"""``Study``: a sweep from Python, without the command line."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pytest

import ablate
from ablate.errors import BadInput, StoreError
from ablate.runs import State
from ablate.study import RunProgress, Study, SweepPlan
from tiny_sweeps import OVERRIDES, tiny_study

HEAVY = {"torch", "torchvision", "mlflow", "optuna", "ray", "pandas", "scipy", "numpy", "yaml"}


def test_a_sweep_is_planned_run_and_reported(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    study = tiny_study(tmp_path / "store", seeds=[0, 1])
    planned = study.plan()
    assert isinstance(planned, SweepPlan)
    assert not (tmp_path / "store").exists()
    frame = planned.to_frame()
    assert list(frame["variant"]) == ["translandseg-4"] * 2 + ["translandseg"] * 2
    assert list(frame["seed"]) == [0, 1, 0, 1]
    assert set(frame["state"]) == {"new"}
    assert sorted(frame["cohort"]) == [1, 1, 2, 2]
    with pytest.raises(StoreError, match="was never started in"):
        study.report()

    seen: list[Sequence[RunProgress]] = []
    outcome = study.run(seen.append)
    assert [run.state for run in outcome.runs] == [State.DONE] * 4
    assert (outcome.pending, outcome.failed, outcome.notes) == (4, (), ())
    assert [run.state for run in seen[0]] == [State.NEW] * 4
    assert [(run.state, run.share, run.epoch) for run in seen[-1]] == [(State.DONE, 1.0, 2)] * 4

    report = study.report()
    table = report.to_frame().set_index("variant")
    assert isinstance(table, pd.DataFrame)
    done = table.loc["translandseg-4"]
    assert done["n"] == 2
    assert 0 < done["miou"] < 100
    assert done["midlays"] == "m×2"
    assert pd.isna(done["missing_reason"])
    assert table.loc["translandseg-4", "delta_miou"] == pytest.approx(
        done["miou"] - table.loc["translandseg", "miou"]
    )
    assert "TransLandSeg-4" in report.render("markdown")
    report.write(tmp_path / "table.csv", "csv")
    assert (tmp_path / "table.csv").read_text(encoding="utf-8") == report.render("csv")

    again = study.run()
    assert (again.pending, again.count(State.DONE)) == (0, 4)
    assert list(study.plan().to_frame()["cohort"].isna()) == [True] * 4
    assert capfd.readouterr() == ("", "")


def test_a_report_is_of_the_studys_own_protocol(tmp_path: Path) -> None:
    store = tmp_path / "store"
    short = tiny_study(store, variants=["translandseg"], executor="inline")
    short.run()
    other = tiny_study(store, variants=["translandseg"], overrides=(*OVERRIDES, "epochs=1"))
    with pytest.raises(StoreError, match="was never started in"):
        other.report()
    assert short.report().record.context.protocol.epochs == 2


def test_a_script_needs_no_guard_and_no_folder(tmp_path: Path) -> None:
    """Processes that run a script again would start the sweep again."""
    script = tmp_path / "script.py"
    script.write_text(
        "from ablate import Study\n"
        f"study = Study('table4', protocol='demo', overrides={OVERRIDES!r},\n"
        f"    variants=['translandseg'], devices=['cpu'], store={str(tmp_path / 'store')!r})\n"
        "print('started')\n"
        "study.run()\n"
        "print(study.report().to_frame()['n'].sum())\n"
    )
    done = subprocess.run(
        [sys.executable, script], capture_output=True, text=True, check=False, timeout=300
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.split() == ["started", "1"]


def test_importing_ablate_is_light() -> None:
    program = f"import ablate, sys; print(*sorted({HEAVY!r} & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == ""


def test_importing_study_loads_nothing_heavy() -> None:
    heavy = HEAVY - {"yaml"}
    program = (
        "from ablate import Study; import sys; Study('table4'); "
        f"print(*sorted(({heavy!r} | {{'typer', 'rich'}}) & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == ""


def test_study_is_what_ablate_exports() -> None:
    assert ablate.Study is Study


@pytest.mark.parametrize(
    ("seeds", "message"),
    [
        ([], "there are no seeds"),
        ([-1], "a seed is negative"),
        ([2**32], "a seed is too large; give whole numbers from 0 to 4294967295"),
        ([0, 1, 0], "seed 0 appears twice"),
        (["0"], "seed '0' is not a whole number"),
        ([True], "seed True is not a whole number"),
    ],
)
def test_seeds_are_checked(seeds: list[int], message: str) -> None:
    with pytest.raises(BadInput, match=message):
        ablate.Study("table4", seeds=seeds)


def test_paths_may_begin_with_the_home_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert ablate.Study("table4", store="~/runs").request.store == tmp_path / "runs"
    with pytest.raises(BadInput, match="is in no user's home folder"):
        ablate.Study("table4", data="~no-such-user/data")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"protocol": "dmo"}, "no protocol is called 'dmo'; did you mean 'demo'"),
        ({"variants": ["translandseg-77"]}, "not a row of the sweep: translandseg-77"),
        ({"data": "nowhere"}, "there is no folder nowhere"),
        ({"executor": "locl"}, "there is no executor 'locl'"),
        ({"executor_settings": {"thread": 2}}, "thread"),
        ({"devices": ["abacus"]}, "device 'abacus' cannot be used"),
    ],
)
def test_bad_input_is_an_exception_before_anything_is_written(
    tmp_path: Path, words: dict[str, object], message: str
) -> None:
    study = tiny_study(tmp_path / "store", **words)
    for step in (study.plan, study.run):
        with pytest.raises(BadInput, match=message):
            step()
    assert list(tmp_path.iterdir()) == []


def test_a_report_goes_into_a_file_not_into_a_folder(tmp_path: Path) -> None:
    study = tiny_study(tmp_path / "store", variants=["translandseg"], executor="inline")
    study.run()
    report = study.report()
    with pytest.raises(BadInput, match="is a folder; give the name of a file"):
        report.write(tmp_path)
    with pytest.raises(BadInput, match="no report format is called 'markdwn'"):
        report.write(tmp_path / "table.md", "markdwn")
    assert [path.name for path in tmp_path.iterdir()] == ["store"]


def test_a_tracking_uri_that_can_never_work_is_refused_before_anything_starts(
    tmp_path: Path,
) -> None:
    store = tmp_path / "store"
    study = Study("table4", store=store, tracking_uri="nonsense")
    for step in (study.plan, study.run):
        with pytest.raises(StoreError, match="cannot use the tracking URI nonsense"):
            step()
    assert not store.exists()


def test_one_process_gets_one_device(tmp_path: Path) -> None:
    """What runs in this process is planned for one worker, whatever devices there are."""
    study = Study("table4", store=tmp_path, executor="inline", devices=["cpu", "cpu"])
    planned = study.plan()
    assert planned.devices == ("cpu",)
    assert len(planned.cohorts) == 1


@pytest.mark.parametrize("works", [True, False])
def test_torch_is_imported_while_a_sweep_is_planned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, works: bool
) -> None:
    order: list[str] = []

    def warm_up() -> None:
        order.append("torch")
        if not works:
            raise BadInput("there is no folder for sockets", "make one")

    def refuse(request: object) -> SweepPlan:
        order.append("plan")
        raise BadInput("no such file", "name another")

    monkeypatch.setattr("ablate.study.run.warm_up", warm_up)
    monkeypatch.setattr("ablate.study.plan_sweep", refuse)
    with pytest.raises(BadInput, match="no such file"):
        tiny_study(tmp_path).run()
    assert order == ["torch", "plan"]
