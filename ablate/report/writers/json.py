"""JSON: the report itself, every number unrounded."""

import re

from ablate.report.model import Report
from ablate.spec import Frozen

# Control characters that JSON allows inside strings, and some terminals obey.
_CONTROLS = re.compile("[\x7f-\x9f]")


def to_json(report: Report) -> str:
    """The whole report; ``Report.model_validate_json`` reads it back."""
    return value_to_json(report)


def value_to_json(value: Frozen) -> str:
    """Any value of a report."""
    text = value.model_dump_json(indent=2)
    return _CONTROLS.sub(lambda found: f"\\u{ord(found[0]):04x}", text) + "\n"
