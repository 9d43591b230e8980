"""What only plans, lists or reports loads no heavy library."""

import subprocess
import sys
from pathlib import Path

import pytest

from cli.command import environment

HEAVY = ("torch", "torchvision", "mlflow", "optuna", "ray", "submitit", "pandas", "sklearn")
PROGRAM = f"""
import sys
sys.argv = ["ablate", *sys.argv[1:]]
try:
    from ablate.cli import main
    main()
except SystemExit as leave:
    assert leave.code in (0, None), leave.code
loaded = sorted(set({HEAVY!r}) & set(sys.modules))
sys.exit(f"loaded: {{loaded}}" if loaded else 0)
"""


@pytest.mark.parametrize(
    "words",
    [
        ["--help"],
        ["--version"],
        ["run", "--help"],
        ["variants", "list"],
        ["variants", "show", "translandseg-6"],
        ["variants", "show", "ccnet"],
        ["variants", "show", "sam-points"],
        ["variants", "check"],
        ["published", "check"],
        ["plan", "--grid", "table4"],
        ["run", "--grid", "table4", "--dry-run"],
        ["status", "--store", "STORE"],
        ["report", "--grid", "table4", "--store", "STORE"],
    ],
    ids=" ".join,
)
def test_nothing_heavy_is_loaded(words: list[str], tmp_path: Path, begun_store: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *(str(begun_store) if w == "STORE" else w for w in words)],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_importing_ablate_loads_nothing_heavy() -> None:
    program = f"import ablate, sys; sys.exit(bool(set({HEAVY!r}) & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
