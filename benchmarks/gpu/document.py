"""The document of the GPU's benchmark, and the same as JSON lines: both whole at any time."""

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any


class Document:
    """What is written lies on the disk when the call returns, so that a kill loses nothing of it.

    Args:
        folder: Where ``NAME.md`` and ``NAME.jsonl`` lie; older ones are replaced.
        name: Their name.
    """

    def __init__(self, folder: Path, name: str) -> None:
        """Begins both files anew."""
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / f"{name}.md"
        self._lines = folder / f"{name}.jsonl"
        self._columns: list[str] = []
        for path in (self.path, self._lines):
            path.write_text("")

    def text(self, markdown: str) -> None:
        """A paragraph, a heading or a whole table."""
        self._columns = []
        self._append(f"{markdown}\n\n")

    def record(self, part: str, record: Mapping[str, Any]) -> None:
        """A row or a note of a part; a row with other columns than the last begins a table."""
        _append(self._lines, json.dumps({"part": part, **record}) + "\n")
        if "note" in record:
            # A table ends with an empty line.
            self.text(f"\n{record['note']}" if self._columns else record["note"])
            return
        cells = record["row"]
        begun = ""
        if list(cells) != self._columns:
            rules = [_rule(each) for each in cells.values()]
            begun = "\n" * bool(self._columns) + _line(list(cells)) + _line(rules)
            self._columns = list(cells)
        self._append(begun + _line([_shown(each) for each in cells.values()]))

    def end_table(self) -> None:
        """Ends the table: the next row begins a new one."""
        if self._columns:
            self._columns = []
            self._append("\n")

    def _append(self, text: str) -> None:
        sys.stdout.write(text)
        sys.stdout.flush()
        _append(self.path, text)


def _append(path: Path, text: str) -> None:
    with path.open("a") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |\n"


def _rule(value: Any) -> str:
    """Numbers are flush right."""
    return "--:" if isinstance(value, int | float) and not isinstance(value, bool) else "---"


def _shown(value: Any) -> str:
    """A cell: at most four digits of a number, and nothing that would end the cell."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
    return str(value).replace("|", "\\|")
