"""What processes that have torch are given, and what this one keeps."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from multiprocessing import forkserver, resource_tracker
from pathlib import Path

import pytest

from ablate.errors import BadInput, Interrupted, SpecError
from ablate.executors import call_with_torch, warm_up
from executors.servers import kill_server, light_server, server_pid
from executors.works import until


@pytest.fixture
def light() -> Iterator[None]:
    with light_server():
        yield


def server_environment() -> str:
    """What the server was started with. glibc itself cuts its settings at the colons."""
    return Path(f"/proc/{server_pid()}/environ").read_text()


@pytest.mark.usefixtures("light")
def test_the_allocator_of_workers_is_set_and_this_process_keeps_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("GLIBC_TUNABLES", raising=False)
    before = dict(os.environ)
    warm_up()
    assert dict(os.environ) == before
    until(lambda: "glibc.malloc.trim_threshold=" in server_environment())


@pytest.mark.usefixtures("light")
def test_settings_of_the_allocator_that_are_there_are_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("GLIBC_TUNABLES", "glibc.malloc.check=0")
    warm_up()
    until(lambda: "GLIBC_TUNABLES=glibc.malloc.check=0" in server_environment())
    assert "trim_threshold" not in server_environment()


def test_a_process_with_torch_computes_and_this_one_does_not() -> None:
    pid = call_with_torch("os:getpid")
    assert pid != os.getpid()
    assert call_with_torch("os:getppid") == server_pid()
    assert call_with_torch("sys:intern", "torch") == "torch"


def test_torch_is_there_before_it_is_imported() -> None:
    assert call_with_torch("executors.works:has_torch")


def test_what_is_raised_there_is_raised_here() -> None:
    with pytest.raises(ValueError, match="invalid literal"):
        call_with_torch("builtins:int", "x")
    with pytest.raises(SpecError) as refused:
        call_with_torch("executors.works:refuse")
    assert refused.value.problems == ["a.yaml: first", "a.yaml: second"]


def test_torch_that_cannot_be_imported_is_bad_input() -> None:
    with pytest.raises(BadInput, match="torch cannot be imported: No module named 'no_such'"):
        call_with_torch("no_such:function")
    with pytest.raises(BadInput, match="os has no 'no_such'; see `ablate doctor`"):
        call_with_torch("os:no_such")


def test_a_process_that_dies_is_bad_input() -> None:
    with pytest.raises(BadInput, match="the process that computes os:_exit has died"):
        call_with_torch("os:_exit", 1)


def test_ctrl_c_starts_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("ablate.executors.fork_server.start_process", interrupted)
    with pytest.raises(Interrupted):
        call_with_torch("os:getpid")


@pytest.mark.usefixtures("light")
def test_a_server_that_was_killed_is_replaced() -> None:
    warm_up()
    first = server_pid()
    kill_server()
    assert call_with_torch("os:getppid") not in (first, os.getpid())


def test_where_no_process_can_be_started_the_reason_is_given(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(_: object) -> None:
        raise ConnectionRefusedError("refused")

    monkeypatch.setattr("ablate.executors.fork_server._PAUSE_S", 0.0)
    monkeypatch.setattr(forkserver, "connect_to_new_process", refuse)
    with pytest.raises(BadInput, match="no process can be started: refused; run the same"):
        call_with_torch("os:getpid")


@pytest.mark.usefixtures("light")
def test_the_death_of_the_resource_tracker_is_no_news(
    capfd: pytest.CaptureFixture[str], recwarn: pytest.WarningsRecorder
) -> None:
    warm_up()
    tracker = resource_tracker._resource_tracker._pid  # type: ignore[attr-defined]
    os.kill(tracker, signal.SIGKILL)
    # Until its end of the pipe is closed it does not count as dead.
    until(lambda: not resource_tracker._resource_tracker._check_alive())  # type: ignore[attr-defined]
    assert call_with_torch("os:getpid") != os.getpid()
    assert capfd.readouterr() == ("", "")
    assert list(recwarn) == []


@pytest.mark.usefixtures("light")
def test_a_process_hears_only_sigterm() -> None:
    heard = call_with_torch("executors.works:heard_signals")
    assert heard == ["SIGTERM"]


def test_the_server_ends_with_its_process_even_while_it_imports() -> None:
    program = (
        "from ablate.executors import warm_up; from multiprocessing import forkserver;"
        "warm_up(); print(forkserver._forkserver._forkserver_pid)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    with pytest.raises(ProcessLookupError):
        os.kill(int(done.stdout), 0)
