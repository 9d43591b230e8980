"""How ``ablate plan --decide`` prints what it would take to decide the claims."""

from ablate.cli.console import out, print_rows
from ablate.cli.lines import TableFormat, print_json
from ablate.report.decision_model import Decision


def print_decision(decision: Decision, format: TableFormat) -> None:
    """Prints what it would take, claim by claim."""
    if format is TableFormat.JSON:
        print_json(decision.model_dump(mode="json"))
        return
    print_rows(decision.rows(), format, title="What it would take to decide the claims")
    for sentence in decision.sentences():
        out.print(sentence, soft_wrap=True)
