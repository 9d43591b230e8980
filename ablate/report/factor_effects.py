"""Which runs have which levels of a sweep's factors, and what these do to MIoU.

The estimates are those of ``least_squares``.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ablate.report.effects import Effect, Effects, FactorRun
from ablate.report.results import RunRecord
from ablate.spec import Cell, Sweep, Variant, canonical_json, value_at

# Most sweeps have no factors.
if TYPE_CHECKING:
    from ablate.report.least_squares import Estimate

_NOT_INSTALLED = (
    "Effects need statsmodels, which is not installed: install ablate with its extra `stats`."
)

# From runs to levels ----------------------------------------------------------------------


def effects_of(sweep: Sweep, runs: Sequence[RunRecord]) -> Effects | None:
    """The effects of a sweep's factors, from its runs that have a result.

    Args:
        sweep: As it was started.
        runs: All its runs.

    Returns:
        None if the sweep has no factor with two levels, or no two runs have a result.
    """
    grid = _Grid(sweep, [run.run.variant for run in runs])
    own = [(run, levels) for run in runs if (levels := grid.levels_of(run.run.variant))]
    own = _of_one_base(sweep, own)
    finished = [
        FactorRun(
            name=run.run.name,
            split=run.run.split,
            seed=run.run.seed,
            levels=levels,
            miou=100 * run.finished.result.metrics["miou"],
        )
        for run, levels in own
        if run.finished
    ]
    if not grid.levels or len(finished) < 2:
        return None
    return estimate(grid.levels, finished, planned=len(own))


class _Grid:
    """The factors of a sweep, and what their levels are called.

    The lists of ``zip`` are taken in step, so that nothing can tell them apart: they are one
    factor. A factor with one value is none.
    """

    def __init__(self, sweep: Sweep, variants: Sequence[Variant]) -> None:
        self._values: dict[str, list[dict[str, Any]]] = {}
        for path, values in sweep.factors.items():
            self._values[self._name((path,), sweep)] = [{path: value} for value in values]
        if sweep.zip:
            steps = zip(*sweep.zip.values(), strict=True)
            name = self._name(tuple(sweep.zip), sweep)
            self._values[name] = [dict(zip(sweep.zip, step, strict=True)) for step in steps]
        self._values = {name: each for name, each in self._values.items() if len(each) > 1}
        self.levels = {name: self._texts(values, variants) for name, values in self._values.items()}

    @staticmethod
    def _name(paths: tuple[str, ...], sweep: Sweep) -> str:
        """The last part of each path, or the whole path where that names two factors."""
        last = Counter(path.rpartition(".")[2] for path in (*sweep.factors, *sweep.zip))
        short = [path.rpartition(".")[2] for path in paths]
        names = [end if last[end] == 1 else path for end, path in zip(short, paths, strict=True)]
        return " + ".join(names).replace("_", " ")

    @staticmethod
    def _texts(values: Sequence[dict[str, Any]], variants: Sequence[Variant]) -> tuple[str, ...]:
        """How tables call the values, as far as that tells them apart; else as in the sweep."""
        shown = [
            ", ".join(_shown(path, each, variants) for path, each in v.items()) for v in values
        ]
        plain = [", ".join(_plain(each) for each in value.values()) for value in values]
        return tuple(shown if len(set(shown)) == len(values) else plain)

    def levels_of(self, variant: Variant) -> dict[str, str]:
        """The level of each factor that a variant has; empty if it lacks one of them."""
        levels: dict[str, str] = {}
        for name, values in self._values.items():
            for text, value in zip(self.levels[name], values, strict=True):
                if all(_holds(variant, path, each) for path, each in value.items()):
                    levels.setdefault(name, text)
        return levels if levels.keys() == self._values.keys() else {}


def _holds(variant: Variant, path: str, value: Any) -> bool:
    """Whether a variant has a factor's value; a mapping may leave out what it does not alter."""
    if isinstance(value, Mapping):
        return all(_holds(variant, f"{path}.{key}", each) for key, each in value.items())
    return canonical_json(value_at(variant, path)) == canonical_json(value)


def _shown(path: str, value: Any, variants: Sequence[Variant]) -> str:
    """A value as the columns of tables show it: ``m×2`` for the MidLays [m, m]."""
    column = path.rpartition(".")[2]
    for variant in variants:
        if _holds(variant, path, value):
            cell: Cell = variant.columns().get(column)
            return _plain(value if cell is None else cell)
    return _plain(value)


def _plain(value: Any) -> str:
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)


def _of_one_base(
    sweep: Sweep, runs: Sequence[tuple[RunRecord, dict[str, str]]]
) -> list[tuple[RunRecord, dict[str, str]]]:
    """Without the rows that the sweep lists by name and that differ in more than the factors."""
    varied = [*sweep.factors, *sweep.zip, *([sweep.match.field] if sweep.match else [])]

    def rest(variant: Variant) -> str:
        content = variant.model_dump(mode="json", exclude={"label"})
        for path in varied:
            *parents, last = path.split(".")
            below = content
            for parent in parents:
                below = below.get(parent) or {}
            below.pop(last, None)
        return canonical_json(content)

    spanned = [rest(run.run.variant) for run, _ in runs if run.run.name not in sweep.variants]
    if not spanned:
        return list(runs)
    common = Counter(spanned).most_common(1)[0][0]
    return [each for each in runs if rest(each[0].run.variant) == common]


# Estimates --------------------------------------------------------------------------------


def estimate(
    factors: Mapping[str, Sequence[str]], runs: Sequence[FactorRun], planned: int
) -> Effects:
    """The effects in a table of runs.

    Args:
        factors: The levels of each factor, as they are declared.
        runs: The runs with a result.
        planned: How many runs there were to be.
    """
    used = {
        name: tuple(level for level in levels if any(run.levels[name] == level for run in runs))
        for name, levels in factors.items()
    }
    notes = [
        f"No result with {name} {level}, which is left out."
        for name, levels in factors.items()
        for level in levels
        if level not in used[name]
    ]
    varied = {name: levels for name, levels in used.items() if len(levels) > 1}
    notes += [
        f"All results have {name} {levels[0]}: its effect cannot be told."
        for name, levels in used.items()
        if len(levels) == 1
    ]
    if len(runs) < planned:
        notes.append(
            f"{len(runs)} of {planned} runs have a result: the table is not balanced, and effects "
            "are estimates of least squares, not differences of plain means."
        )
    fitted = None
    if varied:
        from ablate.report.least_squares import fit

        try:
            fitted = fit(
                varied,
                [run.levels for run in runs],
                [run.repeat for run in runs],
                [run.miou for run in runs],
            )
        except ModuleNotFoundError:
            notes.append(_NOT_INSTALLED)
    if fitted:
        notes += [
            f"{' × '.join(pair)} is taken to be zero, since no run has {gap}; if it is not, the "
            "other effects are off by it."
            for pair, gap in fitted.left_out.items()
        ]
        if fitted.residual_sd is None:
            notes.append(
                "No combination of levels has results of two repeats, so noise cannot be told from "
                "effects: no interval."
            )
    return Effects(
        factors=used,
        runs=tuple(runs),
        repeats=len({run.repeat for run in runs}),
        main=_effects(fitted.main, runs) if fitted else (),
        interactions=_effects(fitted.interactions, runs) if fitted else (),
        residual_sd=fitted.residual_sd if fitted else None,
        residual_df=fitted.residual_df if fitted else 0,
        notes=tuple(notes),
    )


def _effects(estimates: Sequence[Estimate], runs: Sequence[FactorRun]) -> tuple[Effect, ...]:
    return tuple(
        Effect(
            levels=each.levels,
            runs=sum(each.levels.items() <= run.levels.items() for run in runs),
            mean=each.mean,
            low=each.interval[0] if each.interval else None,
            high=each.interval[1] if each.interval else None,
            missing_reason=each.missing_reason,
        )
        for each in estimates
    )
