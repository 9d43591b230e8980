"""Values that differ in one field of a sweep alone, and what shows the difference."""

from typing import Any

from ablate.spec import (
    METRIC_NAMES,
    Comparison,
    Sweep,
)
from changes import Change, altered
from changes import along as _along
from observed_sweeps import planned, reported, tuned

_ROWS = Sweep(
    name="mine",
    title="A table",
    protocol="short",
    seeds=(0, 1),
    baseline="translandseg",
    published="table4",
    comparisons=(Comparison(claim="A sentence", better="translandseg", worse=("translandseg-7",)),),
    variants=("translandseg", "translandseg-7", "translandseg-3"),
)
_FACTORS = Sweep(
    name="mine",
    title="A table",
    protocol="short",
    seeds=(0,),
    base="translandseg",
    factors={"adapter.width": (3, 5), "adapter.residual": (True, False)},
    zip={"adapter.placement": ("outside", "inside"), "adapter.up_init": ("zero", "default")},
)

_SWEEPS = {
    name: _along(spec, field, values, observe)
    for name, spec, field, values, observe in (
        ("Sweep.name", _ROWS, "name", ("mine", "yours"), reported),
        ("Sweep.title", _ROWS, "title", ("A table", "Another"), reported),
        ("Sweep.baseline", _ROWS, "baseline", ("translandseg", "translandseg-3", None), reported),
        ("Sweep.published", _ROWS, "published", ("table4", "table1", None), reported),
        (
            "Sweep.comparisons",
            _ROWS,
            "comparisons",
            (_ROWS.model_dump()["comparisons"], ()),
            reported,
        ),
        ("Sweep.protocol", _ROWS, "protocol", ("short", "long"), planned),
        ("Sweep.seeds", _ROWS, "seeds", ((0, 1), (0, 2), (0,)), planned),
        ("Sweep.splits", _ROWS, "splits", (1, 2), planned),
        (
            "Sweep.variants",
            _ROWS,
            "variants",
            (_ROWS.variants, _ROWS.variants[::-1], (*_ROWS.variants, "translandseg-1")),
            planned,
        ),
        ("Sweep.base", _FACTORS, "base", ("translandseg", "translandseg-1"), planned),
        (
            "Sweep.factors",
            _FACTORS,
            "factors",
            (_FACTORS.factors, {"adapter.width": (3, 6)}, {}),
            planned,
        ),
        (
            "Sweep.zip",
            _FACTORS,
            "zip",
            (_FACTORS.zip, {"adapter.placement": ("outside", "inside")}, {}),
            planned,
        ),
        (
            "Sweep.match",
            _ROWS,
            "match",
            (None, {"parameters": "translandseg-d24"}),
            planned,
        ),
        (
            "Sweep.exclude",
            _FACTORS,
            "exclude",
            ((), ({"adapter.width": 3},), ({"adapter.width": 3, "adapter.placement": "inside"},)),
            planned,
        ),
    )
}


def _comparing(**changes: Any) -> Sweep:
    comparison = _ROWS.comparisons[0].model_copy(update=changes)
    return altered(_ROWS, "comparisons", (comparison.model_dump(),))


_COMPARISONS = {
    f"Comparison.{field}": Change((_ROWS, _comparing(**{field: value})), reported)
    for field, value in (
        ("claim", "Another sentence"),
        ("better", "translandseg-3"),
        ("worse", ("translandseg-7", "translandseg-3")),
        ("by", 2.5),
        ("equal_within", 0.5),
    )
}

_RANGE = {"low": 1e-3, "high": 1e-2}
_TUNED = altered(
    _ROWS, "tune", {"space": {"optimizer.lr": _RANGE, "adapter.width": {"choices": (2, 5)}}}
)


def _tuning(field: str, *values: Any) -> Change:
    return _along(_TUNED, f"tune.{field}", values, tuned)


def _domain(field: str, *values: Any) -> Change:
    """Sweeps that differ in a field of the learning rate's range, or of the width's choices."""
    name = "adapter.width" if field == "choices" else "optimizer.lr"
    base = {"choices": (2, 5)} if field == "choices" else _RANGE
    assert _TUNED.tune is not None
    spaces = [
        {each: domain.model_dump() for each, domain in _TUNED.tune.space.items()}
        | {name: {**base, field: value}}
        for value in values
    ]
    return _tuning("space", *spaces)


_TUNINGS = {
    "Sweep.tune": Change((_TUNED, _ROWS), tuned),
    "Tuning.space": _tuning("space", {"optimizer.lr": _RANGE}, {"optimizer.weight_decay": _RANGE}),
    "Tuning.metric": _tuning("metric", *METRIC_NAMES),
    "Tuning.validation_share": _tuning("validation_share", 0.3, 0.4),
    "Tuning.seed": _tuning("seed", 0, 1),
    "Domain.low": _domain("low", 1e-3, 2e-3),
    "Domain.high": _domain("high", 1e-2, 5e-3),
    "Domain.log": _domain("log", False, True),
    "Domain.step": _domain("step", None, 3e-3),
    "Domain.choices": _domain("choices", (2, 5), (2, 3, 5)),
}

SWEEP_CHANGES = _SWEEPS | _COMPARISONS | _TUNINGS
