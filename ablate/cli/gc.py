"""``ablate gc``: lists, and only when told removes, what no sweep of a store needs."""

from typing import Annotated

import typer

from ablate.cli import options
from ablate.cli.console import err, out, print_rows
from ablate.cli.lines import TableFormat, print_json
from ablate.runs import shown
from ablate.study.leftovers import MOST_DAYS, Leftovers, find_leftovers, remove_leftovers


def gc(
    remove: Annotated[
        bool,
        # Without a variable, and so without a key: what removes is said each time.
        typer.Option("--remove", help="Remove what is listed."),
    ] = False,
    older_than: Annotated[
        int,
        typer.Option(
            envvar="ABLATE_OLDER_THAN",
            min=0,
            max=MOST_DAYS,
            metavar="DAYS",
            help="Only what was last changed so many days ago.",
        ),
    ] = 0,
    store: options.StorePath = options.DEFAULT_STORE,
    format: options.Format = TableFormat.TABLE,
) -> None:
    """List what no sweep of the store names or needs any more; with --remove, remove it.

    Runs that no sweep and no tuning names, caches, checks and sources of their data, checkpoints of
    finished runs, logs, damaged files that were set aside, artifacts of runs that were deleted in
    MLflow, and what killed processes have left. What a process works on is kept.
    """
    with err.status("looking"):
        found = (remove_leftovers if remove else find_leftovers)(store, older_than)
    if format is TableFormat.JSON:
        print_json(_as_json(found, is_removed=remove))
        return
    for note in found.notes:
        err.print(f"note: {note}", soft_wrap=True)
    if not found.found:
        out.print(f"nothing to remove in {store}", soft_wrap=True)
        return
    root = store.absolute()
    print_rows(
        [
            {
                "kind": each.kind,
                "path": shown(each.path.relative_to(root)),
                "size": size(each.size_bytes),
                "reason": each.reason,
            }
            for each in found.found
        ],
        format,
    )
    total = f"{len(found.found)} found, {size(found.size_bytes)}"
    out.print(
        f"removed: {total}" if remove else f"{total}; `ablate gc --remove` removes them",
        soft_wrap=True,
    )


def size(bytes_: int) -> str:
    """``12 B``, ``3.4 MB``: with powers of a thousand, as disks are sold."""
    amount = float(bytes_)
    for unit in ("B", "kB", "MB"):
        if amount < 1000:
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} GB"


def _as_json(found: Leftovers, *, is_removed: bool) -> dict[str, object]:
    return {
        "removed": is_removed,
        "size_bytes": found.size_bytes,
        "found": [
            {
                "kind": each.kind,
                "path": str(each.path),
                "size_bytes": each.size_bytes,
                "reason": each.reason,
            }
            for each in found.found
        ],
        "notes": found.notes,
    }
