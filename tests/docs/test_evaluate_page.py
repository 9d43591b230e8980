"""Every block of docs/evaluate.md is run, in the order of the page, at small sizes."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/evaluate.md").read_text(encoding="utf-8")
_SMALL = """set = ["epochs=1", "data.count=12", "image_size_px=64"]
track = false
executor = "inline"
"""


@pytest.mark.slow
def test_the_page_runs(tmp_path: Path) -> None:
    (tmp_path / "ablate.toml").write_text(_SMALL)
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    printed = ""
    for language, block in re.findall(r"```(console|python)\n(.*?)```", PAGE, flags=re.DOTALL):
        if language == "python":
            programs = [[sys.executable, "-c", block]]
        else:
            lines = [line.removeprefix("$ ") for line in block.splitlines()]
            programs = [[sys.executable, "-m", *shlex.split(line)] for line in lines]
        for words in programs:
            done = subprocess.run(
                words, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, done.stdout + done.stderr
            printed += done.stdout
    assert "north (8 images)" in printed
    assert "south (8 images)" in printed
    assert "Boundary IoU" in printed
