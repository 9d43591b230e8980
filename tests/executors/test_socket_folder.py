"""Where the fork server's socket lies, and that a kill does not leave it for ever."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ablate.errors import BadInput
from ablate.executors import socket_folder
from ablate.executors.socket_folder import make_socket_folder

START = """
import sys
from ablate.executors.socket_folder import make_socket_folder
from multiprocessing import process
make_socket_folder()
print(process.current_process()._config["tempdir"], flush=True)
sys.stdin.read()
"""


def started(temporary: Path) -> tuple[subprocess.Popen[str], Path]:
    """A process that has its folder, and lives until its input ends."""
    process = subprocess.Popen(
        [sys.executable, "-c", START],
        env=os.environ | {"TMPDIR": str(temporary)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    return process, Path(process.stdout.readline().strip())


def end(process: subprocess.Popen[str]) -> None:
    process.communicate()
    assert process.returncode == 0


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A folder under which sockets may lie, however long the path of this test's own is."""
    monkeypatch.setattr(socket_folder, "_LONGEST_BYTES", 1000)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr("multiprocessing.process.current_process", lambda: _Process())
    monkeypatch.setattr("multiprocessing.util.Finalize", lambda *_, **__: None)
    return tmp_path


class _Process:
    """Stands for a process that has no folder yet."""

    _config: dict[str, str] = {}  # noqa: RUF012

    def __init__(self) -> None:
        self._config.clear()


def test_a_killed_processs_folder_is_removed_by_the_next_and_a_living_ones_is_kept() -> None:
    parent = Path("/tmp")
    killed, of_killed = started(parent)
    living, of_living = started(parent)
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    assert of_killed.is_dir()
    third, of_third = started(parent)
    assert not of_killed.exists()
    assert of_living.is_dir()
    assert of_third.parent == parent
    end(living)
    end(third)
    assert not of_living.exists()
    assert not of_third.exists()


def test_a_long_path_for_temporary_files_is_left_out(tmp_path: Path) -> None:
    long = tmp_path / ("x" * 80)
    long.mkdir()
    process, folder = started(long)
    assert folder.parent in map(Path, socket_folder._SHORT_FOLDERS)
    end(process)


def test_a_link_is_not_followed(short: Path) -> None:
    (short / "kept").mkdir()
    (short / f"{socket_folder._PREFIX}link").symlink_to(short / "kept")
    make_socket_folder()
    assert (short / "kept").is_dir()


def test_no_folder_at_all_is_bad_input(short: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(short / "missing"))
    monkeypatch.setattr(socket_folder, "_SHORT_FOLDERS", (str(short / "gone"),))
    with pytest.raises(BadInput, match="no folder for temporary files; set TMPDIR"):
        make_socket_folder()
