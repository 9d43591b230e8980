"""From one store every process writes the same bytes, in any folder and time zone."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from ablate.report import FIGURES, WRITERS
from ablate.spec import Protocol
from report.factors_on_disk import on_disk
from report.panels import leave_painted_panel
from report.sweep_on_disk import SweepOnDisk
from report.tuning_on_disk import A, B, two_tuned_rows

WRITE = """
import sys
from pathlib import Path
from ablate.runs import Store
from ablate.study import latest_start, report_sweep

root, out = Path(sys.argv[1]), Path(sys.argv[2])
for grid in sys.argv[3:]:
    store = Store(root / grid)
    made = report_sweep(latest_start(store, grid)[0], store)
    made.write_all(out / grid)
    made.write_figures(out / grid)
"""


def written(root: Path, folder: Path, **variables: str) -> dict[str, bytes]:
    """Every file of the reports of both sweeps, by its name, from a process of its own."""
    (folder / "cwd").mkdir(parents=True)
    words = [sys.executable, "-c", WRITE, str(root), str(folder / "out"), "table4", "factorial"]
    environment = {**os.environ, **variables, "MPLCONFIGDIR": str(folder / "matplotlib")}
    subprocess.run(words, cwd=folder / "cwd", env=environment, check=True, capture_output=True)
    files = sorted(path for path in (folder / "out").rglob("*") if path.is_file())
    return {str(path.relative_to(folder / "out")): path.read_bytes() for path in files}


def test_two_processes_write_the_same_bytes(tmp_path: Path, protocol: Protocol) -> None:
    root = tmp_path / "stores"
    tuned = SweepOnDisk(root / "table4", protocol)
    # Published tables of parameters would have to be counted, which takes torch.
    tuned.published = None
    two_tuned_rows(tuned)
    for name in (A, B):
        leave_painted_panel(tuned.folder(name).panels_path, "a.png")
    # What cannot be read has its reason in the report.
    tuned.names = (*tuned.names, "translandseg-7", "translandseg-9")
    for name, file in (("translandseg-7", "result.json"), ("translandseg-9", "events.jsonl")):
        tuned.finish(name)
        (tuned.folder(name).path / file).write_text("nonsense\n")
    tuned.start()
    factors = on_disk(root / "factorial", protocol, "factorial", (0, 1))
    for number, name in enumerate(factors.names):
        for seed in factors.seeds:
            factors.finish(name, seed, miou=0.7 + (number * 7 + seed * 3) % 11 / 100)
    factors.start()

    first = written(root, tmp_path / "one", PYTHONHASHSEED="1", TZ="Asia/Kathmandu", LC_ALL="C")
    # Another place and other times of the files make no difference either.
    shutil.copytree(root, tmp_path / "elsewhere" / "copy")
    second = written(
        tmp_path / "elsewhere" / "copy",
        tmp_path / "two",
        PYTHONHASHSEED="2",
        TZ="America/St_Johns",
        LC_ALL="C.UTF-8",
        COLUMNS="50",
    )
    assert list(first) == list(second)
    assert [name for name in first if first[name] != second[name]] == []
    assert "unreadable" in first["table4/table4.md"].decode()
    assert sum(name.startswith("table4/table4.") for name in first) == len(WRITERS)
    drawn = {Path(name).stem for name in first}
    assert drawn >= set(FIGURES)
    for name, content in first.items():
        # Neither the program's version nor a date.
        assert b"Matplotlib v" not in content, name
        assert b"dc:date" not in content, name
        assert str(tmp_path).encode() not in content, name
