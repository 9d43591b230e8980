"""``ablate check``: whether the runs support the claims of a sweep."""

from typing import Any

import typer

from ablate.cli import options
from ablate.cli.console import out, print_rows
from ablate.cli.lines import TableFormat, print_json
from ablate.errors import ExitCode
from ablate.report.claims_check import ClaimsCheck
from ablate.runs import Store
from ablate.study import check_claims, latest_start

_EXIT_CODES = {
    "holds": ExitCode.DONE,
    "does not hold": ExitCode.RUN_FAILED,
    "cannot tell": ExitCode.OPEN,
}
_SENTENCES = {
    "holds": "All claims hold.",
    "does not hold": "Some claim does not hold.",
    "cannot tell": "No claim is refuted, but not all are decided: `ablate plan --decide` says what "
    "it would take.",
}


def check(
    grid: options.Grid,
    protocol: options.OnlyProtocol = None,
    store: options.StorePath = options.DEFAULT_STORE,
    format: options.Format = TableFormat.TABLE,
) -> None:
    """Check whether the runs support each claim of the sweep. Starts and writes nothing.

    The exit code is 0 if all claims hold, 1 if one does not hold, and 3 if none is refuted but some
    cannot be told. What rests on one training of a row counts as not told: another training may
    give another verdict.
    """
    opened = Store(store)
    checked = check_claims(latest_start(opened, grid, protocol)[0], opened)
    if format is TableFormat.JSON:
        print_json({"outcome": checked.outcome, **checked.model_dump(mode="json")})
    else:
        print_rows(_rows(checked), format, title="Claims")
        out.print(_SENTENCES[checked.outcome], soft_wrap=True)
        if checked.watermark:
            out.print(checked.watermark, soft_wrap=True)
    raise typer.Exit(_EXIT_CODES[checked.outcome])


def _rows(checked: ClaimsCheck) -> list[dict[str, Any]]:
    return [
        {"claim": claim.claim, "reproduced": claim.reproduced, "published": claim.published}
        for claim in checked.claims
    ]
