"""``ablate merge``: joins the stores of several machines."""

from pathlib import Path
from typing import Annotated

import typer

from ablate.cli import options
from ablate.cli.console import err, out
from ablate.study import merge_stores
from ablate.study.request import expanded


def merge(
    stores: Annotated[
        list[Path], typer.Argument(metavar="STORE…", help="The stores to join; none is changed.")
    ],
    into: Annotated[
        Path,
        typer.Option(
            "--into",
            envvar="ABLATE_INTO",
            callback=options.expand,
            help="The store that gets everything; made if it is not there.",
        ),
    ],
) -> None:
    """Join the stores of several machines into one, or say why they cannot be joined.

    Runs are copied whole or not at all; merged twice, nothing changes. Refused, with every reason:
    one run with two results, a sweep run by two engines or on other splits, a run under way in a
    store that is to be joined, damaged folders. A run that a process works on in the store that
    gets everything is left to it.
    """
    with err.status("merging"):
        done = merge_stores([expanded(store) for store in stores], into)
    out.print(
        f"{done.target}: runs copied: {len(done.copied)}, replaced by runs that are further: "
        f"{len(done.replaced)}, kept: {done.kept}; sweeps joined: {', '.join(done.sweeps)}",
        soft_wrap=True,
    )
    if done.left:
        out.print(
            f"left to the processes that work on them: {', '.join(done.left)}; once they have "
            "ended, merge again",
            soft_wrap=True,
        )
    for note in done.notes:
        out.print(note, soft_wrap=True)
