"""JSON: the report itself, every number unrounded."""

import re

from ablate.report.model import Report

# Control characters that JSON allows inside strings, and some terminals obey.
_CONTROLS = re.compile("[\x7f-\x9f]")


def to_json(report: Report) -> str:
    """The whole report; ``Report.model_validate_json`` reads it back."""
    text = report.model_dump_json(indent=2)
    return _CONTROLS.sub(lambda found: f"\\u{ord(found[0]):04x}", text) + "\n"
