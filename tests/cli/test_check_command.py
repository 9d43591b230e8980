"""``ablate check`` from the command line."""

import json
from pathlib import Path

import pytest

from ablate.registry import Catalogue
from ablate.spec import Comparison
from cli.command import ablate
from cli.without_torch import ablate_without_torch
from report.sweep_on_disk import SweepOnDisk

AHEAD, BEHIND = "translandseg", "translandseg-7"
HELPS = Comparison(claim="The residual connection helps", better=AHEAD, worse=(BEHIND,))
HURTS = Comparison(claim="It hurts", better=BEHIND, worse=(AHEAD,))
OPEN = Comparison(claim="More helps", better=AHEAD, worse=("translandseg-1",))


def started(folder: Path, seeds: int, *claims: Comparison) -> None:
    """A store in which the first row is 10 points ahead."""
    table = SweepOnDisk(folder / "store", Catalogue().protocol("demo"))
    table.seeds, table.comparisons = tuple(range(seeds)), claims
    for seed in table.seeds:
        table.finish(AHEAD, seed, miou=0.88 + 0.001 * seed)
        table.finish(BEHIND, seed, miou=0.78 + 0.0011 * seed)
    table.start()


CHECK = ("check", "--grid", "table4", "--store", "store")


@pytest.mark.parametrize(
    ("seeds", "claims", "code", "verdicts"),
    [
        (3, (HELPS,), 0, ["holds"]),
        (3, (HELPS, HURTS), 1, ["holds", "does not hold"]),
        (3, (HELPS, OPEN), 3, ["holds", "cannot tell: TransLandSeg-1 not run"]),
        # What one training says is said, but decides nothing.
        (1, (HELPS,), 3, ["holds for these images (one training each)"]),
        (1, (HURTS,), 3, ["does not hold for these images (one training each)"]),
        (3, (HURTS, OPEN), 1, ["does not hold", "cannot tell: TransLandSeg-1 not run"]),
    ],
)
def test_the_exit_code_says_what_becomes_of_the_claims(
    tmp_path: Path, seeds: int, claims: tuple[Comparison, ...], code: int, verdicts: list[str]
) -> None:
    started(tmp_path, seeds, *claims)
    done = ablate(tmp_path, *CHECK, "--format", "json")
    assert done.returncode == code, done.stderr
    checked = json.loads(done.stdout)
    assert [claim["reproduced"] for claim in checked["claims"]] == verdicts
    assert checked["outcome"] == {0: "holds", 1: "does not hold", 3: "cannot tell"}[code]


def test_people_get_a_line_for_each_claim(tmp_path: Path) -> None:
    started(tmp_path, 3, HELPS, HURTS)
    done = ablate_without_torch(tmp_path, *CHECK)
    assert done.returncode == 1, done.stderr
    lines = done.stdout.splitlines()
    assert any(line.split()[:3] == ["The", "residual", "connection"] for line in lines)
    assert "Some claim does not hold." in lines
    assert lines[-1].startswith("demo: generated data")


@pytest.mark.parametrize(
    ("claims", "words", "problem"),
    [
        ((), CHECK, "sweep table4 makes no claims that could be checked"),
        ((HELPS,), ("check", "--grid", "table1", "--store", "store"), "was never started"),
    ],
)
def test_bad_input_is_one_line(
    tmp_path: Path, claims: tuple[Comparison, ...], words: tuple[str, ...], problem: str
) -> None:
    started(tmp_path, 1, *claims)
    done = ablate(tmp_path, *words)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert problem in line
