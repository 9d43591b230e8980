"""Runs the command line as a user does, in a process of its own."""

import os
import subprocess
import sys
from pathlib import Path

# A run of this protocol takes a second.
TINY = [
    "--set",
    "epochs=2",
    "--set",
    "batch_size=4",
    "--set",
    "image_size_px=64",
    "--set",
    "data={kind: generated, seed: 1, count: 20, size_px: 64}",
]


def environment() -> dict[str, str]:
    """The environment without any setting of ablate's own."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ABLATE_")}
    return kept | {"COLUMNS": "200"}


def ablate(folder: Path, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """``ablate WORDS…`` in that folder, to its end."""
    return subprocess.run(
        [sys.executable, "-m", "ablate", *words],
        cwd=folder,
        env=environment() | variables,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def start(folder: Path, *words: str) -> subprocess.Popen[bytes]:
    """``ablate WORDS…`` in that folder, as the leader of a process group of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "ablate", *words],
        cwd=folder,
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
