"""The GPU's benchmark, on a CPU: what is written, what a part costs the others, what is equal."""

import argparse
import json
import subprocess
import sys
import time
import tomllib
from functools import partial
from pathlib import Path

import pytest
import torch
from torch.nn.attention import SDPBackend

from benchmarks.gpu import __main__ as gpu
from benchmarks.gpu import everything, matmul, prepare
from benchmarks.gpu.attention import differentiated
from benchmarks.gpu.contenders import CONTENDERS, FLEX, Attend, augmented, flexible, sams_own
from benchmarks.gpu.document import Document
from benchmarks.gpu.part import Part, measured
from benchmarks.gpu.steps import largest_batch

ROOT = Path(__file__).parents[2]


def records(folder: Path, name: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in (folder / f"{name}.jsonl").read_text().splitlines()]


# The document -------------------------------------------------------------------------------------


def test_a_row_with_other_columns_begins_a_table(tmp_path: Path) -> None:
    document = Document(tmp_path, "it")
    document.text("# A")
    document.record("one", {"row": {"way": "a|b", "ms": 1.23456, "equal": True}})
    document.record("one", {"row": {"way": "c", "ms": None, "equal": False}})
    document.record("one", {"row": {"GB": 12345.6}})
    document.record("one", {"note": "Said."})
    assert document.path.read_text() == (
        "# A\n\n| way | ms | equal |\n| --- | --: | --- |\n| a\\|b | 1.235 | yes |\n"
        "| c | – | no |\n\n| GB |\n| --: |\n| 12,346 |\n\nSaid.\n\n"
    )
    assert [each["part"] for each in records(tmp_path, "it")] == ["one"] * 4
    assert records(tmp_path, "it")[1]["row"] == {"way": "c", "ms": None, "equal": False}


# The time -----------------------------------------------------------------------------------------


def test_a_part_gets_what_those_before_it_leave() -> None:
    parts = [gpu.Share(name, 100, 10) for name in "abc"]
    first_s, rest = gpu.limits(parts, 300)
    assert (first_s, [each.part for each in rest]) == (100, ["b", "c"])
    assert gpu.limits(rest, 290)[0] == 190
    # Half the time is half for each.
    assert gpu.limits(parts, 150)[0] == 50
    assert gpu.limits(parts[:1], 7)[0] == 7


def test_all_shares_fit_into_nine_minutes() -> None:
    assert sum(each.share_s for each in gpu.PARTS) <= 60 * gpu.MINUTES
    files = {path.stem for path in gpu.HERE.glob("*.py") if "run(measure)" in path.read_text()}
    assert {each.part for each in gpu.PARTS} == files


HANGS = """\
'''Hangs.'''
import json, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
print(json.dumps({"row": {"child": child.pid}}), flush=True)
time.sleep(60)
"""
FAILS = '''"""Fails."""
print("not for the document", flush=True)
raise MemoryError("all of it")
'''
WORKS = '''"""Works."""
print(\'{"row": {"rate": 2}}\')
'''


def test_a_part_that_hangs_or_fails_loses_only_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = tmp_path / "benchmarks" / "gpu"
    here.mkdir(parents=True)
    (here / "__init__.py").touch()
    for name, text in {"hangs": HANGS, "fails": FAILS, "works": WORKS}.items():
        (here / f"{name}.py").write_text(text)
    parts = [gpu.Share(name, 2, 1) for name in ("hangs", "fails", "works")]
    monkeypatch.setattr(gpu, "HERE", here)
    monkeypatch.setattr(gpu, "ROOT", tmp_path)
    monkeypatch.setattr(gpu, "PARTS", (*parts, gpu.Share("works", 0.1, 900)))
    options = argparse.Namespace(device="cpu", tiny=False, only=None)
    document = Document(tmp_path / "out", "it")
    assert not gpu.measure_all(document, options, time.monotonic() + 6)
    _, hung, failed, worked, skipped = document.path.read_text().split("## ")
    assert "**Ended** after 2 s" in hung
    assert "**Failed** with exit status 1: `MemoryError: all of it`" in failed
    assert "not for the document" not in failed
    assert "| rate |\n| --: |\n| 2 |\n\nTook" in worked
    assert "**Skipped**" in skipped
    child, rate = (each["row"] for each in records(tmp_path / "out", "it"))
    assert rate == {"rate": 2}
    assert isinstance(child, dict)
    assert is_gone(child["child"])


def is_gone(process: int) -> bool:
    """Whether a process has ended; a zombie stays where no process waits for orphans."""
    status = Path(f"/proc/{process}/status")
    for _ in range(100):
        if not status.exists() or "State:\tZ" in status.read_text():
            return True
        time.sleep(0.05)
    return False


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "no GPU"),
        (["--device", "cpu"], "--device cpu --tiny"),
        (["--device", "cpu", "--tiny", "--minutes", "0"], "--minutes"),
        (["--device", "cpu", "--tiny", "--out", "../up"], "--out"),
    ],
)
def test_what_cannot_be_measured_is_refused(
    words: list[str],
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(SystemExit, match="2"):
        gpu.options_of(words)
    assert said in capsys.readouterr().err.splitlines()[-1]


# Parts --------------------------------------------------------------------------------------------


def tiny() -> Part:
    return Part("cpu", True, 60, time.monotonic())


def test_parts_say_rows_of_the_same_columns(capsys: pytest.CaptureFixture[str]) -> None:
    matmul.measure(tiny())
    everything.measure(tiny())
    rows = [json.loads(line)["row"] for line in capsys.readouterr().out.splitlines()]
    assert [row.get("product") for row in rows[:3]] == ["bfloat16", "tf32", "float32"]
    assert rows[0]["TFLOP/s"] > 0
    assert [row["outcome"].split()[-1] for row in rows if "boxes" in row] == ["kept", "kept"]
    assert rows[-1]["outcome"] == "done"


def test_what_a_device_cannot_do_is_no_failure() -> None:
    def impossible() -> object:
        raise RuntimeError("No available\nkernel.")

    assert measured(lambda: impossible, "cpu", 1) == (
        "not possible: RuntimeError: No available kernel."
    )


# On a CPU one of PyTorch's kernels has a backward pass, and any may be asked to write all scores.
WAYS = {
    name: attend
    for name, attend in CONTENDERS.items()
    if name.startswith("in parts") or name.endswith("flash") or name == "ablate"
} | {
    "augmented": partial(augmented, SDPBackend.MATH, False),
    "augmented, padded": partial(augmented, SDPBackend.MATH, True),
}


def inputs() -> list[torch.Tensor]:
    torch.manual_seed(0)
    shapes = [(2, 3, 12, channels) for channels in (6, 6, 6, 3, 4)]
    return [torch.randn(shape, dtype=torch.float64, requires_grad=True) for shape in shapes]


@pytest.mark.parametrize("name", WAYS)
def test_every_way_is_sams_own_attention(name: str) -> None:
    given = inputs()
    expected = differentiated(sams_own, given, False)
    torch.testing.assert_close(differentiated(WAYS[name], given, False), expected)


@pytest.mark.filterwarnings("ignore:flex_attention called without torch.compile")
def test_flex_attention_adds_the_scores_of_positions() -> None:
    assert FLEX in CONTENDERS
    given: list[torch.Tensor] = [each.detach().float() for each in inputs()]
    way: Attend = flexible
    torch.testing.assert_close(way(0.4, *given), sams_own(0.4, *given))


@pytest.mark.parametrize("most", [*range(9), 13, 31, 100, 1000])
def test_the_largest_batch_is_found_to_within_an_eighth(most: int) -> None:
    found = largest_batch(lambda batch: batch <= most)
    assert most * 7 / 8 <= found <= most


# Another machine ----------------------------------------------------------------------------------


def test_every_dependency_is_brought_along_or_left_out_on_purpose() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    names = [each.partition(">")[0] for each in project["dependencies"]]
    known = [*prepare.NAMES, *prepare.THEIRS, *prepare.NOT_IMPORTED]
    assert sorted(names) == sorted(known)


# The whole ----------------------------------------------------------------------------------------


@pytest.mark.slow
def test_all_parts_run_at_tiny_sizes(tmp_path: Path) -> None:
    done = subprocess.run(
        [
            *(sys.executable, "-m", "benchmarks.gpu", "--device", "cpu", "--tiny"),
            *("--minutes", "30", "--folder", str(tmp_path)),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=1800,
    )
    assert done.returncode == 0, done.stderr
    found = records(tmp_path, "tiny")
    assert {each["part"] for each in found} == {each.part for each in gpu.PARTS}
    text = (tmp_path / "tiny.md").read_text()
    assert text == done.stdout
    assert "**" not in text
    rows = [each["row"] for each in found if each["part"] == "survives"]
    assert [row["alike"] for row in rows if isinstance(row, dict)] == [True] * 3
