"""Runs the command line as a user does, in a process of its own."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tiny_sweeps import OVERRIDES

# A run of this protocol takes a second.
TINY = [word for override in OVERRIDES for word in ("--set", override)]


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
        # Some tests speak of terminals of other encodings.
        errors="replace",
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


def output(folder: Path, *words: str, code: int = 0) -> str:
    """What a command that ends with ``code`` prints."""
    done = ablate(folder, *words)
    assert done.returncode == code, done.stderr
    return done.stdout


def rows(folder: Path, *words: str) -> list[dict[str, Any]]:
    """The rows that a command prints as JSON."""
    table: list[dict[str, Any]] = json.loads(output(folder, *words, "--format", "json"))
    return table
