"""Runs the command line on a machine that has neither torch nor MLflow."""

import subprocess
import sys
from pathlib import Path

from cli.command import environment

_PROGRAM = """
import sys
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("torch", "torchvision", "mlflow"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Missing())
from ablate.cli import main
main()
"""


def ablate_without_torch(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """``ablate WORDS…`` in that folder, to its end."""
    return subprocess.run(
        [sys.executable, "-c", _PROGRAM, *words],
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
