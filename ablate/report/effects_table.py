"""The effects of a sweep's factors as tables."""

from collections.abc import Mapping

from ablate.report.effects import Effect, Effects
from ablate.report.table import (
    BLANK,
    DASH,
    Table,
    TableCell,
    caption_of,
    missing_cell,
    number_cell,
    number_column,
    text_cell,
    text_column,
)


def effects_tables(effects: Effects, watermark: str | None) -> list[Table]:
    """The main effects with the importances, and the interactions if there are any."""
    tables = [_main(effects, watermark)]
    if effects.interactions:
        tables.append(_interactions(effects, watermark))
    return tables


def _main(effects: Effects, watermark: str | None) -> Table:
    importances = effects.importances
    by_level = {tuple(each.levels.items()): each for each in effects.main}
    rows = []
    for name, levels in effects.factors.items():
        for place, level in enumerate(levels):
            effect = by_level.get(((name, level),))
            cells = [
                BLANK if place else text_cell(name),
                text_cell(level),
                number_cell(sum(run.levels[name] == level for run in effects.runs)),
                *_estimate(effect),
            ]
            if importances:
                cells.append(BLANK if place else _share(importances.shares, name))
            rows.append(tuple(cells))
    return Table(
        name="effects",
        title="Main effects and interactions of the factors",
        columns=(
            text_column("factor", "factor"),
            text_column("level", "level"),
            number_column("runs", "runs"),
            number_column("effect", "effect on MIoU"),
            number_column("interval", "95 % interval"),
            *([number_column("importance", "importance (%)")] if importances else []),
        ),
        rows=tuple(rows),
        caption=caption_of(
            watermark,
            "Effect: by how many percentage points of MIoU a level lies above or below the mean "
            "over all levels, the other factors taken at the mean of theirs.",
            _interval_sentence(effects),
            importances
            and "Importance: how much the levels of the best "
            f"{importances.best} of {importances.runs} runs differ from those of all runs "
            "(PED-ANOVA), as shares of 100 %; it tells neither direction nor noise, and of "
            "factors that act only together nothing.",
        ),
        notes=effects.notes,
    )


def _interactions(effects: Effects, watermark: str | None) -> Table:
    rows = [
        (
            text_cell(" × ".join(each.levels)),
            text_cell(", ".join(each.levels.values())),
            number_cell(each.runs),
            *_estimate(each),
        )
        for each in effects.interactions
    ]
    two = any(len(levels) == 2 for levels in effects.factors.values())
    return Table(
        name="interactions",
        title=None,
        columns=(
            text_column("factors", "factors"),
            text_column("levels", "levels"),
            number_column("runs", "runs"),
            number_column("effect", "interaction"),
            number_column("interval", "95 % interval"),
        ),
        rows=tuple(rows),
        caption=caption_of(
            watermark,
            "Interaction: how many points of MIoU two levels add together, beyond the sum of their "
            "two effects.",
            two
            and "Of a factor with two levels the first is shown: the second has the same number "
            "with the other sign.",
        ),
    )


def _estimate(effect: Effect | None) -> list[TableCell]:
    """The estimate and its interval; the reason where there is none."""
    if effect is None or effect.mean is None:
        reason = effect.missing_reason if effect else None
        return [missing_cell(reason or "not estimated"), DASH]
    if effect.low is None or effect.high is None:
        interval = DASH
    else:
        interval = text_cell(f"{effect.low:+z.2f} … {effect.high:+z.2f}")
    return [number_cell(effect.mean, f"{effect.mean:+z.2f}"), interval]


def _share(shares: Mapping[str, float], name: str) -> TableCell:
    share = shares.get(name)
    return DASH if share is None else number_cell(100 * share, f"{100 * share:.0f}")


def _interval_sentence(effects: Effects) -> str:
    if effects.residual_sd is None:
        return ""
    return (
        "Intervals: ordinary least squares with repeats as blocks, main effects and two-way "
        f"interactions, Student's t over {effects.residual_df} degrees of freedom (residual "
        f"standard deviation {effects.residual_sd:.2f} points, in which interactions of three and "
        "more factors count as noise); each interval is for its own effect alone."
    )
