"""``ablate logs``: which run is meant, and what is known of it."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from ablate.cli.logs import logs
from ablate.errors import BadInput
from ablate.plan import create_run_folders
from ablate.runs import Attempt, Failure, RunFolder, State, Store
from ablate.study.finding import find_run
from ablate.study.following import follow_run
from ablate.study.log_tail import LogTail
from ablate.study.logs import run_log
from cli.command import ablate, environment
from tiny_sweeps import tiny_study


@pytest.fixture
def store(tmp_path: Path) -> Store:
    opened = Store(tmp_path / "store")
    create_run_folders(tiny_study(opened.root, seeds=(0, 1)).plan().plan, opened)
    return opened


def fail(folder: RunFolder, store: Store, log: str | None = "worker-cpu-1.log") -> None:
    """A run whose worker printed 50 lines and failed."""
    folder.begin_attempt(
        Attempt(started=5.0, seen=9.0, device="cpu", device_name="A", shared_by=3, log=log)
    )
    folder.write_failure(
        Failure(kind="error", message="no memory", detail="Traceback\n  here\n", time=9.0)
    )
    store.logs_path.mkdir(exist_ok=True)
    (store.logs_path / "worker-cpu-1.log").write_text(
        "".join(f"line {number}\n" for number in range(50))
    )


def test_a_key_its_beginning_and_a_unique_name_are_understood(tmp_path: Path) -> None:
    opened = Store(tmp_path)
    create_run_folders(tiny_study(tmp_path).plan().plan, opened)
    first, second = opened.runs()
    assert find_run(opened, first.key).key == first.key
    assert find_run(opened, second.key[:9]).key == second.key
    assert find_run(opened, first.spec().name).key == first.key


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("translandseg-3", r"no run is called 'translandseg-3' in .*; did you mean 'translandseg"),
        ("zzz", r"no run is called 'zzz' in .*; `ablate status` lists the keys"),
        ("../../etc", "no run is called"),
        ("", "no run is called ''"),
        ("a\x1b[31mb", r"no run is called 'a\\x1b\[31mb'"),
    ],
)
def test_an_unknown_run_is_one_line(store: Store, text: str, said: str) -> None:
    with pytest.raises(BadInput, match=said) as refused:
        run_log(store.root, text)
    assert "\n" not in str(refused.value)


def test_an_ambiguous_name_lists_what_may_be_meant(store: Store) -> None:
    with pytest.raises(BadInput, match="may be any of 2 runs: ") as refused:
        find_run(store, "translandseg")
    for folder in store.runs():
        spec = folder.spec()
        described = f"{folder.key} (translandseg seed {spec.seed})"
        assert (described in str(refused.value)) == (spec.name == "translandseg")


def test_a_failure_is_told_with_its_traceback_and_log(
    store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = store.runs()[0]
    fail(folder, store)
    logs(folder.key, lines=2, store=store.root)
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith(f"{folder.key} · {folder.spec().name} seed ")
    assert said[0].endswith(": failed, epoch 0/2, cpu")
    assert said[2].startswith("attempt ")
    assert said[2].endswith(": failed, 0.0 s of cpu, with 2 beside it, log worker-cpu-1.log")
    assert said[3:6] == ["no memory", "Traceback", "  here"]
    assert said[-2:] == ["line 48", "line 49"]


def test_what_was_never_begun_has_nothing_to_tell(store: Store) -> None:
    found = run_log(store.root, store.runs()[0].key)
    assert (found.status.state, found.attempts, found.log, found.lines) == (State.NEW, (), None, ())


@pytest.mark.parametrize("log", ["../runs/secret.log", "/etc/passwd", ".log", "a/b.log", "no.txt"])
def test_a_log_outside_the_folder_of_logs_is_not_read(store: Store, log: str) -> None:
    folder = store.runs()[0]
    fail(folder, store, log)
    found = run_log(store.root, folder.key)
    assert (found.log, found.lines) == (None, ())


def test_a_log_that_is_a_fifo_or_a_link_or_gone_stops_nothing(store: Store) -> None:
    folder = store.runs()[0]
    fail(folder, store)
    path = store.logs_path / "worker-cpu-1.log"
    for make in (lambda: None, lambda: os.mkfifo(path), lambda: path.symlink_to("/etc/passwd")):
        path.unlink(missing_ok=True)
        make()
        found = run_log(store.root, folder.key)
        assert found.lines == ()
        assert len(found.problems) == 1
        assert str(path) in found.problems[0]


def test_damaged_files_are_named_and_passed_over(store: Store) -> None:
    folder = store.runs()[0]
    fail(folder, store)
    for path in folder.path.glob("attempts/*.json"):
        path.write_bytes(b"{")
    (folder.path / "spec.json").write_bytes(b"\xff")
    found = run_log(store.root, folder.key)
    assert found.name is None
    assert len(found.problems) == 2


def test_only_the_end_of_a_log_is_read_and_nothing_steers_the_terminal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ablate.study.log_tail._MOST_BYTES", 30)
    path = tmp_path / "w.log"
    path.write_bytes(b"first\n" * 100 + b"\x1b[2J\xff\tx\r10 %\rlast")
    lines = LogTail(path).last(3, is_growing=False)
    assert lines == ("\\x1b[2J�   x", "10 %", "last")
    assert LogTail(path).last(0, is_growing=False) == ()


@pytest.mark.parametrize("lines", [-1, 10_001, True])
def test_a_number_of_lines_out_of_range_is_refused(store: Store, lines: int) -> None:
    with pytest.raises(BadInput, match="lines are out of range; give 0 to 10000"):
        run_log(store.root, store.runs()[0].key, lines)


def test_json_has_all_of_it(tmp_path: Path, store: Store) -> None:
    folder = store.runs()[0]
    fail(folder, store)
    done = ablate(tmp_path, "logs", folder.key[:8], "--store", "store", "--format", "json")
    found = json.loads(done.stdout)
    assert (found["key"], found["status"]["state"]) == (folder.key, "failed")
    assert found["failure"]["detail"] == "Traceback\n  here\n"
    assert found["attempts"][0]["log"] == "worker-cpu-1.log"
    assert len(found["lines"]) == 20


def test_a_workers_log_is_noted_with_its_attempt(tmp_path: Path) -> None:
    tiny_study(tmp_path, variants=["translandseg"], executor="local").run()
    (folder,) = Store(tmp_path).runs()
    (attempt,) = folder.attempts()
    assert attempt.log is not None
    found = run_log(tmp_path, folder.key)
    assert found.log == tmp_path / "logs" / attempt.log
    assert found.log.exists()
    assert found.problems == ()


# Following ------------------------------------------------------------------------------------


def begin(folder: RunFolder, log: str) -> None:
    now = time.time()
    folder.begin_attempt(
        Attempt(started=now, seen=now, device="cpu", device_name="A", shared_by=1, log=log)
    )


def followed(store: Store, folder: RunFolder, steps: list[Callable[[], None]]) -> list[str]:
    """What following prints while one step after the other is done, each after a look."""
    found = run_log(store.root, folder.key, 2, is_followed=True)
    pending = iter(steps)

    def rest(_: float) -> None:
        next(pending)()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ablate.study.following.time.sleep", rest)
        lines = [*found.lines, *follow_run(store.root, folder, found.tail)]
    assert next(pending, None) is None
    return lines


def test_what_is_added_is_printed_across_attempts_until_the_run_ends(store: Store) -> None:
    folder = store.runs()[0]
    store.logs_path.mkdir()
    first, second = (store.logs_path / name for name in ("first.log", "second.log"))
    first.write_text("one\ntwo\nthr")
    begin(folder, first.name)

    def add(path: Path, text: str) -> None:
        with path.open("a") as file:
            file.write(text)

    def again() -> None:
        add(first, "last words")
        second.write_text("anew\n")
        begin(folder, second.name)

    def end() -> None:
        add(second, "and killed")
        fail(folder, store, second.name)

    lines = followed(store, folder, [lambda: add(first, "ee\n\x1b[1mfour\n"), again, end])
    assert lines == [
        *("one", "two"),
        "no process trains it now; its next attempt is waited for (Ctrl-C ends this)",
        *("three", "\\x1b[1mfour", "last words"),
        f"the next attempt prints to {second}:",
        *("anew", "and killed"),
    ]


def test_a_log_that_is_gone_or_begins_anew_stops_nothing(store: Store) -> None:
    folder = store.runs()[0]
    store.logs_path.mkdir()
    log = store.logs_path / "w.log"
    log.write_text("first\n")
    begin(folder, log.name)

    def make_anew() -> None:
        log.write_text("new\n")

    lines = followed(
        store, folder, [log.unlink, lambda: None, make_anew, lambda: fail(folder, store, log.name)]
    )
    waits = "no process trains it now; its next attempt is waited for (Ctrl-C ends this)"
    assert lines == ["first", waits, f"{log} cannot be read: No such file or directory", "new"]


def following(folder: Path, key: str) -> tuple[subprocess.Popen[str], str]:
    """``ablate logs --follow`` in a process without a terminal, and its first line."""
    process = subprocess.Popen(
        [sys.executable, "-m", "ablate", "logs", "-f", key, "--store", "store"],
        cwd=folder,
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    return process, process.stdout.readline()


def processor_s(pid: int) -> float:
    ticks = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK")


def test_following_ends_with_the_run_and_rests_between_looks(tmp_path: Path, store: Store) -> None:
    folder = store.runs()[0]
    store.logs_path.mkdir()
    (store.logs_path / "w.log").write_text("first\n")
    begin(folder, "w.log")
    process, title = following(tmp_path, folder.key)
    assert title.startswith(f"{folder.key} · ")
    began_s = processor_s(process.pid)
    time.sleep(2.0)
    assert processor_s(process.pid) - began_s < 1.0
    with (store.logs_path / "w.log").open("a") as file:
        file.write("second\nlast")
    folder.write_failure(Failure(kind="error", message="no memory", detail="", time=9.0))
    said, _ = process.communicate(timeout=20)
    assert process.returncode == 1
    ended = f"{folder.key} has ended: failed: no memory"
    assert said.splitlines()[-3:] == ["second", "last", ended]


def test_ctrl_c_ends_following(tmp_path: Path, store: Store) -> None:
    process, _ = following(tmp_path, store.runs()[0].key)
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=20)
    assert process.returncode == 75
    assert said.splitlines()[-1].startswith("interrupted: stopped by Ctrl-C")


def test_following_a_run_that_is_done_ends_at_once(tmp_path: Path) -> None:
    tiny_study(tmp_path / "store", variants=["translandseg"]).run()
    done = ablate(tmp_path, "logs", "-f", "translandseg", "--store", "store")
    assert done.returncode == 0
    assert done.stdout.splitlines()[-1].endswith(" has ended: done")
    done = ablate(tmp_path, "logs", "-f", "translandseg", "--store", "store", "--format", "json")
    assert done.returncode == 2
    assert done.stderr == (
        "error: --follow prints lines as they come, not JSON; omit one of the two\n"
    )
