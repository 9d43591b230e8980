"""What there is to say of a table of scores besides its numbers."""

from ablate.report.model import Report, SeedState


def notes_of(report: Report) -> list[str]:
    """The agreement of orders, then every remark on runs with the runs that it is on."""
    runs: dict[str, list[str]] = {}
    for row in report.rows:
        seeds: dict[str, list[str]] = {}
        for seed in row.seeds:
            for remark in _remarks(seed, report.positive_class):
                seeds.setdefault(remark, []).append(str(seed.seed))
        for remark, those in seeds.items():
            # The seeds only where the remark is not on all of them.
            which = "" if len(those) == len(row.seeds) else f" (seed {', '.join(those)})"
            runs.setdefault(remark, []).append(f"{row.label}{which}")
    return [
        *_agreement(report),
        *(f"{remark}: {'; '.join(labels)}." for remark, labels in runs.items()),
    ]


def _agreement(report: Report) -> list[str]:
    rank = report.rank
    if rank is None or rank.tau_b is None:
        return []
    orders = f" Only the orders are compared; {report.watermark}." if report.watermark else ""
    return [
        f"Agreement with the published order of MIoU: Kendall's τ-b = {rank.tau_b:.2f} over "
        f"{rank.rows} rows ({rank.pairs} pair{'s' if rank.pairs != 1 else ''}).{orders}"
    ]


def _remarks(seed: SeedState, positive_class: str) -> list[str]:
    """Why a run has no result, or what is odd about it."""
    if seed.state != "done":
        reason = f"{seed.state} ({seed.cause})" if seed.cause else seed.state
        return [f"{reason[0].upper()}{reason[1:]}"]
    if seed.predicts_no_positives:
        return [
            f"Predicts no {positive_class} at all, so that the precision of that class is 0/0, "
            "taken as 0"
        ]
    return []
