"""The formats of rows on other data, as a table of their own."""

from collections.abc import Callable

from ablate.report.elsewhere_model import Elsewhere
from ablate.report.elsewhere_tables import elsewhere_tables, flat_elsewhere
from ablate.report.writers.csv import table_to_csv
from ablate.report.writers.json import value_to_json
from ablate.report.writers.markdown import table_to_markdown


def _to_markdown(found: Elsewhere) -> str:
    return "\n".join(map(table_to_markdown, elsewhere_tables(found)))


def _to_csv(found: Elsewhere) -> str:
    return table_to_csv(flat_elsewhere(found))


ELSEWHERE_WRITERS: dict[str, Callable[[Elsewhere], str]] = {
    "markdown": _to_markdown,
    "csv": _to_csv,
    "json": value_to_json,
}
"""How they are written, by format."""
