"""``ablate report --explain``: where a number of the table comes from."""

import sys

from ablate.cli.lines import write_json
from ablate.errors import BadInput
from ablate.report.explanation import explanation_text
from ablate.runs import shown
from ablate.study import SweepReport

_FORMATS = ("markdown", "json")


def split_place(wanted: str, format: str) -> tuple[str, str]:
    """``ROW:METRIC`` as row and metric; a label may hold colons.

    Raises:
        BadInput: If it is anything else, or cannot be printed in this format.
    """
    row, colon, metric = wanted.rpartition(":")
    if not colon or not row or not metric:
        raise BadInput(
            f"--explain {shown(wanted)} is not ROW:METRIC",
            "give it like --explain translandseg:miou",
        )
    if format not in _FORMATS:
        raise BadInput(
            f"--explain has no format {shown(format)}", "omit --format for text, or give json"
        )
    return row, metric


def print_explanation(made: SweepReport, row: str, metric: str, format: str) -> None:
    """Prints where a number comes from; nothing is written."""
    found = made.explain(row, metric)
    if format == "json":
        write_json(found.model_dump_json(indent=2) + "\n")
        return
    lines = explanation_text(found).splitlines()
    sys.stdout.write("".join(f"{shown(line)}\n" for line in lines))
