"""Whether the runs of a sweep support its claims, without the rest of the report."""

from collections.abc import Mapping
from typing import Literal

from ablate.report.claims import claims_of
from ablate.report.comparison_model import Claim
from ablate.report.differences import draw_images_of
from ablate.report.published import load_scores
from ablate.report.results import read_results
from ablate.report.rows import TableRuns
from ablate.runs import Store, SweepRecord
from ablate.spec import Frozen, Variant


class ClaimsCheck(Frozen):
    """The claims of a sweep and what becomes of them.

    Attributes:
        sweep: The sweep's name.
        watermark: What everything made from these runs carries; None if comparable.
        claims: With their pairs and verdicts.
    """

    sweep: str
    watermark: str | None
    claims: tuple[Claim, ...]

    @property
    def outcome(self) -> Literal["holds", "does not hold", "cannot tell"]:
        """``holds`` if all claims do, ``does not hold`` if one does not.

        A verdict that rests on one training of a row is none on the row: another training may give
        another.
        """
        verdicts = {
            "cannot tell" if claim.is_for_these_images else claim.verdict for claim in self.claims
        }
        if "does not hold" in verdicts:
            return "does not hold"
        return "holds" if verdicts == {"holds"} else "cannot tell"


def claims_check_of(record: SweepRecord, store: Store, today: Mapping[str, Variant]) -> ClaimsCheck:
    """Reads the runs and decides the claims, as the report does.

    Args:
        record: The start of the sweep.
        store: Where its runs lie.
        today: The sweep's rows as they are declared now.

    Raises:
        SpecError: If the published table is missing or breaks rules.
    """
    sweep = record.sweep
    published = load_scores(sweep.published) if sweep.published else None
    table = TableRuns(record, read_results(record, store), published, today)
    draws = draw_images_of(table.rows, sweep)
    claims = claims_of(sweep.comparisons, table, draws, has_published=published is not None)
    return ClaimsCheck(sweep=sweep.name, watermark=record.context.watermark, claims=tuple(claims))
