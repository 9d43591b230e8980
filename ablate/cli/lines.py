"""Notes and JSON, printed without rich, which takes a tenth of a short command to import."""

import json
import re
import sys
from enum import StrEnum
from typing import Any

from ablate.runs.names import shown


class TableFormat(StrEnum):
    """Formats of the commands that print a table."""

    TABLE = "table"
    JSON = "json"


def print_note(text: str) -> None:
    """Prints to standard error as the console does: literally, never wrapped, escapes spelt out."""
    sys.stderr.write("\n".join(map(shown, text.split("\n"))) + "\n")


def print_json(value: Any) -> None:
    """Prints a value as indented JSON."""
    write_json(json.dumps(value, indent=2) + "\n")


def write_json(text: str) -> None:
    """Writes JSON to standard output: in ASCII, the same in every terminal, never wrapped."""
    # What is not ASCII stands inside strings, where JSON allows it to be escaped.
    sys.stdout.write(re.sub(r"[^\x00-\x7f]", lambda found: json.dumps(found[0])[1:-1], text))
