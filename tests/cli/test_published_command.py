import json
import subprocess
import sys
from pathlib import Path

import pytest

from ablate.registry import shipped
from cli.command import ablate

HEAVY = ("torch", "mlflow", "pandas", "scipy", "numpy")


def test_every_published_row_agrees(tmp_path: Path) -> None:
    done = ablate(tmp_path, "published", "check", COLUMNS="80")
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    rows = [line for line in lines if "class means" in line]
    assert len(rows) == 19
    assert " ".join(rows[4].split()) == "I TransLandSeg 93.41 93.414 yes class means 10.065 ± 0.025"
    assert "19 of 19 rows agree with themselves and with their convention" in lines
    assert "positive pixels that all rows of Bijie allow: 10.049 to 10.060 %" in lines
    assert "positive pixels that all rows of Landslide4Sense allow: 2.362 to 2.367 %" in lines


def test_json_has_every_number(tmp_path: Path) -> None:
    done = ablate(tmp_path, "published", "check", "--format", "json")
    rows = json.loads(done.stdout)
    assert [row["table"] for row in rows] == ["I"] * 5 + ["II"] * 5 + ["IV"] * 9
    assert {tuple(row["conventions"]) for row in rows} == {("class-means",)}
    assert rows[-1]["positive_f1"] == pytest.approx(88.2, abs=0.05)
    assert rows[-1]["positive_share_range"]["low"] < 10.05


def test_a_row_that_contradicts_itself_leaves_with_1(tmp_path: Path) -> None:
    folder = tmp_path / "reports" / "published"
    folder.mkdir(parents=True)
    text = (shipped("reports/published") / "table1.yaml").read_text(encoding="utf-8")
    (folder / "table1.yaml").write_text(text.replace('"93.41"', '"94.31"'), encoding="utf-8")
    done = ablate(tmp_path, "published", "check")
    assert done.returncode == 1
    assert "18 of 19 rows" in done.stdout


def test_a_broken_table_is_bad_input(tmp_path: Path) -> None:
    folder = tmp_path / "reports" / "published"
    folder.mkdir(parents=True)
    (folder / "own.yaml").write_text("kind: scores\n", encoding="utf-8")
    done = ablate(tmp_path, "published", "check")
    assert done.returncode == 2
    assert "own.yaml" in done.stderr


def test_nothing_heavy_is_loaded(tmp_path: Path) -> None:
    program = (
        "import sys\nsys.argv = ['ablate', 'published', 'check']\n"
        "from ablate.cli import main\n"
        "try:\n    main()\nexcept SystemExit as leave:\n    assert leave.code in (0, None)\n"
        f"loaded = sorted(set({HEAVY!r}) & set(sys.modules))\n"
        "sys.exit(f'loaded: {loaded}' if loaded else 0)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
