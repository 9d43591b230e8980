"""``ablate data``: data sets, checked before anything is trained on them, and converted."""

import time
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from ablate.cli import options
from ablate.cli.console import err, out
from ablate.cli.data_convert import convert
from ablate.cli.display import duration
from ablate.cli.lines import TableFormat, print_json
from ablate.errors import ExitCode
from ablate.runs import DataCheck, scale_line
from ablate.study import check_data
from ablate.study.data import DEFAULT_PROTOCOL

app = typer.Typer(help="Data sets: check and convert them.", no_args_is_help=True)

_STYLE = {"problem": "red", "note": "yellow"}
_COPIES = {
    "duplicates-across-split",
    "duplicates",
    "near-duplicates-across-split",
    "near-duplicates",
}
_INDENT = max(map(len, _STYLE)) + 1


@app.command()
def check(
    path: Annotated[Path, typer.Argument(help="The data set's folder; its layout is recognised.")],
    protocol: Annotated[
        str,
        typer.Option(
            envvar="ABLATE_PROTOCOL",
            help="The protocol that declares the split, the size of images and, where it cannot be "
            "recognised, the layout.",
        ),
    ] = DEFAULT_PROTOCOL,
    set_: options.Overrides = None,
    store: options.StorePath = options.DEFAULT_STORE,
    sheet: Annotated[
        Path | None,
        typer.Option(
            envvar="ABLATE_SHEET",
            callback=options.expand,
            help="Also write a PNG file of all that is suspect: images, outlines of masks and "
            "reasons.",
            show_default=False,
        ),
    ] = None,
    overlaps: Annotated[
        bool,
        typer.Option(
            "--overlaps",
            envvar="ABLATE_OVERLAPS",
            help="Also look for images that overlap in part. The time grows with the square of "
            "their number: about half a minute for 800.",
        ),
    ] = False,
    format: options.Format = TableFormat.TABLE,
) -> None:
    """Read a whole data set: broken pairs, odd masks, copies, and what the split gives away.

    The outcome is kept in the store, and printed by the reports on this data and split. The exit
    code is 1 if there is a problem; a note may be meant as it is. Equal images are found by their
    pixels, nearly equal ones by a perceptual hash, also when turned or mirrored.
    """
    started = time.monotonic()
    outcome = check_data(
        path,
        protocol=protocol,
        overrides=set_ or (),
        store=store,
        sheet=sheet,
        overlaps=overlaps,
    )
    if format is TableFormat.JSON:
        print_json(outcome.model_dump(mode="json"))
    else:
        _print(outcome, protocol)
    kept = "not kept: a file cannot be read" if outcome.digest is None else f"kept in {store}"
    err.print(f"checked in {duration(time.monotonic() - started)}; {kept}", soft_wrap=True)
    if sheet is not None:
        is_written = outcome.has_suspects
        written = f"sheet written to {sheet}" if is_written else "no suspects: no sheet is written"
        err.print(written, soft_wrap=True)
    if outcome.problems:
        raise typer.Exit(ExitCode.RUN_FAILED)


def _print(check: DataCheck, protocol: str) -> None:
    for fact in _facts(check, protocol):
        out.print(fact, soft_wrap=True)
    for finding in check.findings:
        severity = f"{finding.severity:<{_INDENT}}"
        line = Text.assemble((severity, _STYLE[finding.severity]), finding.message)
        out.print(line, soft_wrap=True)
        out.print(f"{'':<{_INDENT}}→ {finding.repair}", soft_wrap=True)
    out.print(f"{check.label}: {check.counts}", soft_wrap=True)


def _facts(check: DataCheck, protocol: str) -> list[str]:
    facts = []
    if sizes := check.sizes:
        smallest, median, largest = (
            f"{width}×{height}" for width, height in (sizes.smallest, sizes.median, sizes.largest)
        )
        spread = f"{smallest} to {largest} pixels, median {median}, {sizes.distinct} different ones"
        facts.append(f"sizes: {spread if sizes.distinct > 1 else f'all {median} pixels'}")
    if check.train is not None:
        tested = f", {check.test} to test" if check.test else ""
        facts.append(
            f"split of protocol {protocol}: {check.train} to train, {check.validation} to "
            f"validate{tested}"
        )
    if groups := check.groups:
        tested = f", {groups.test} to test" if groups.test else ""
        facts.append(f"groups: {groups.train} to train, {groups.validation} to validate{tested}")
    positive = check.positive
    shares = {
        "all": positive.all,
        "train": positive.train,
        "validation": positive.validation,
        "test": positive.test,
    }
    shown = [f"{name} {share:.2%}" for name, share in shares.items() if share is not None]
    if shown:
        facts.append(f"positive pixels at {check.image_size_px} px: {', '.join(shown)}")
    if check.ranges:
        facts.append(scale_line(check.ranges))
    if values := check.values:
        share = values.clipped / values.all
        facts.append(
            f"values beyond the scale's range: {values.clipped} of {values.all} ({share:.2%})"
        )
    if check.sizes and not any(finding.kind in _COPIES for finding in check.findings):
        facts.append("equal or nearly equal images: none")
    if check.images and not check.are_overlaps_checked:
        facts.append("images that overlap in part: not looked for (--overlaps)")
    return facts


app.command()(convert)
