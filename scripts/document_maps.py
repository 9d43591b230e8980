"""Makes the picture of ``docs/maps.md`` by that page's blocks: ``python -m scripts.document_maps``.

It trains the row that the page trains, which takes some minutes on a CPU. A test does the same at
a small size.
"""

import os
import re
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "maps.md"
PICTURE = ROOT / "docs" / "figures" / "map.png"


def run_page(folder: Path) -> None:
    """Runs every block of the page in the order of the page.

    Args:
        folder: The working folder; an ``ablate.toml`` in it counts, as a user's would.

    Raises:
        RuntimeError: If a block fails, with what it printed.
    """
    environment = os.environ | {"PYTHONPATH": str(ROOT), "MPLBACKEND": "agg"}
    page = PAGE.read_text(encoding="utf-8")
    for language, block in re.findall(r"```(console|python)\n(.*?)```", page, flags=re.DOTALL):
        if language == "python":
            programs = [[sys.executable, "-c", block]]
        else:
            lines = [line.removeprefix("$ ") for line in block.splitlines()]
            programs = [[sys.executable, "-m", *shlex.split(line)] for line in lines]
        for words in programs:
            done = subprocess.run(
                words, cwd=folder, env=environment, capture_output=True, text=True, check=False
            )
            if done.returncode or "Traceback" in done.stderr:
                raise RuntimeError(f"{block}\n{done.stdout}\n{done.stderr}")


def main() -> None:
    """Writes the picture."""
    with tempfile.TemporaryDirectory() as name:
        run_page(Path(name))
        # With a palette it has less than half the size.
        Image.open(Path(name) / "overlay.png").convert("RGB").quantize(256).save(
            PICTURE, optimize=True
        )


if __name__ == "__main__":
    main()
