"""``ablate logs``: all that is known of one run."""

from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text

from ablate.cli import options
from ablate.cli.console import err, out
from ablate.cli.lines import TableFormat, print_json
from ablate.errors import BadInput, ExitCode
from ablate.runs import State, shown
from ablate.study.following import follow_run
from ablate.study.logs import DEFAULT_LINES, MOST_LINES, RunLog, run_log
from ablate.study.run_status import run_status


def logs(
    key: Annotated[
        str,
        typer.Argument(
            metavar="KEY",
            help="The run's key, its first digits, or the name of a row that has one run.",
        ),
    ],
    lines: Annotated[
        int,
        typer.Option(
            envvar="ABLATE_LINES", min=0, max=MOST_LINES, help="Lines of the worker's log."
        ),
    ] = DEFAULT_LINES,
    follow: Annotated[
        bool,
        typer.Option(
            "--follow",
            "-f",
            envvar="ABLATE_FOLLOW",
            help="Print what is added to the log, of later attempts too, until the run has ended.",
        ),
    ] = False,
    store: options.StorePath = options.DEFAULT_STORE,
    format: options.Format = TableFormat.TABLE,
) -> None:
    """Show all that is known of a run: attempts, why it failed, the end of its worker's log.

    With --follow, exit code 0 says that the run is done, and 1 that it has failed.
    """
    if follow and format is TableFormat.JSON:
        raise BadInput("--follow prints lines as they come, not JSON", "omit one of the two")
    found = run_log(store, key, lines, is_followed=follow)
    if format is TableFormat.JSON:
        print_json(_as_json(found))
        return
    for problem in found.problems:
        err.print(f"note: {problem}", soft_wrap=True)
    _print(found)
    if follow:
        _follow(store, found)


def _follow(store: Path, found: RunLog) -> None:
    for line in follow_run(store, found.folder, found.tail):
        out.print(line, soft_wrap=True)
    status = run_status(found.folder, found.epochs)
    why = f": {shown(status.note)}" if status.note else ""
    out.print(f"{found.folder.key} has ended: {status.state.value}{why}", soft_wrap=True)
    if status.state is not State.DONE:
        raise typer.Exit(ExitCode.RUN_FAILED)


def _print(found: RunLog) -> None:
    status = found.status
    title = Text(f"{found.folder.key} · {found.name or 'spec unreadable'}", style="bold")
    where = f", {status.device}" if status.device else ""
    state = f": {status.state.value}, epoch {status.epoch}/{found.epochs}{where}"
    out.print(Text.assemble(title, state), soft_wrap=True)
    out.print(str(found.folder.path), soft_wrap=True)
    for attempt in found.attempts:
        started = _local_time(attempt.started)
        beside = f", with {attempt.shared_by - 1} beside it" if attempt.shared_by > 1 else ""
        log = f", log {shown(attempt.log)}" if attempt.log else ""
        out.print(
            f"attempt {started}: {attempt.ending}, {attempt.device_s:.1f} s of "
            f"{shown(attempt.device)}{beside}{log}",
            soft_wrap=True,
        )
    if status.note:
        out.print(Text(shown(status.note), style="red"), soft_wrap=True)
    if found.failure:
        for line in found.failure.detail.splitlines():
            out.print(shown(line.expandtabs()), soft_wrap=True)
    if found.log is not None:
        what = f"the end of {found.log}:" if found.lines else f"nothing is in {found.log}"
        out.print(Text(what, style="bold"), soft_wrap=True)
        for line in found.lines:
            out.print(line, soft_wrap=True)


def _local_time(seconds: float) -> str:
    try:
        return datetime.fromtimestamp(seconds).isoformat(" ", "seconds")
    except (ValueError, OverflowError, OSError):
        return "at an impossible time"


def _as_json(found: RunLog) -> dict[str, Any]:
    return {
        "key": found.folder.key,
        "name": found.name,
        "folder": str(found.folder.path),
        "epochs": found.epochs,
        "status": asdict(found.status),
        "attempts": [attempt.model_dump(mode="json") for attempt in found.attempts],
        "failure": found.failure.model_dump(mode="json") if found.failure else None,
        "log": str(found.log) if found.log else None,
        "lines": found.lines,
        "problems": found.problems,
    }
