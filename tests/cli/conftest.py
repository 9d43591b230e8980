"""Fixtures of the command line's tests."""

from pathlib import Path

import pytest

from ablate.spec import Context
from tiny_sweeps import start_table4


@pytest.fixture
def started_store(tmp_path: Path, context: Context) -> Path:
    return start_table4(tmp_path / "started", context)
