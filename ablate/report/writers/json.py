"""JSON: the report itself, every number unrounded."""

from ablate.report.model import Report


def to_json(report: Report) -> str:
    """The whole report; ``Report.model_validate_json`` reads it back."""
    return report.model_dump_json(indent=2) + "\n"
