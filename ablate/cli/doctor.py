"""``ablate doctor``: what this machine has, what is missing, and how to fix it."""

from dataclasses import asdict

import typer
from rich.text import Text

from ablate.cli import options
from ablate.cli.console import out
from ablate.cli.lines import TableFormat, print_json
from ablate.errors import ExitCode
from ablate.study.doctor import examine

_STYLE = {"ok": "green", "note": "yellow", "problem": "red"}
_INDENT = max(map(len, _STYLE)) + 1


def doctor(
    data: options.DataPath = None,
    checkpoint: options.CheckpointPath = None,
    store: options.StorePath = options.DEFAULT_STORE,
    tracking_uri: options.TrackingUri = None,
    format: options.Format = TableFormat.TABLE,
) -> None:
    """Examine Python, packages, devices, catalogue, data, checkpoint, store and MLflow.

    The exit code is 1 if there is a problem.
    """
    findings = examine(data, checkpoint, store, tracking_uri)
    if format is TableFormat.JSON:
        print_json([asdict(finding) for finding in findings])
    else:
        for finding in findings:
            state = f"{finding.state:<{_INDENT}}"
            out.print(
                Text.assemble((state, _STYLE[finding.state]), f"{finding.what}: {finding.finding}"),
                soft_wrap=True,
            )
            if finding.repair:
                out.print(f"{'':<{_INDENT}}→ {finding.repair}", soft_wrap=True)
    if any(finding.state == "problem" for finding in findings):
        raise typer.Exit(ExitCode.RUN_FAILED)
