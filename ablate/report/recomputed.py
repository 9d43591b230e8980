"""Whether a result says what its own pixels say."""

import math

from ablate.metrics import Confusion, scores
from ablate.runs import Confusions, PartScores, Result

# Sums of a few quotients in another order, as another version may have them, differ by less.
_TOLERANCE = 1e-9


def contradictions(
    result: Result | PartScores, confusions: Confusions, file: str = "confusion.parquet"
) -> list[str]:
    """What a result says otherwise than the pixels that it was computed from.

    Args:
        result: A run's ``result.json``, or what it says of the test part.
        confusions: The pixels of the images.
        file: The file that has them.

    Returns:
        One clause for each count and each metric that differs; empty where all agree. ``val_loss``
        cannot be computed from pixels and is passed over.
    """
    found = [
        f"{cell} is {result.confusion.get(cell)} in the result, {count} in {file}"
        for cell, count in confusions.pooled.items()
        if result.confusion.get(cell) != count
    ]
    found += [f"{cell} is not in {file}" for cell in result.confusion.keys() - confusions.pooled]
    computed = scores(Confusion(**confusions.pooled))
    for name, value in sorted(result.metrics.items()):
        if name in computed and not math.isclose(
            value, computed[name], rel_tol=0, abs_tol=_TOLERANCE
        ):
            found.append(f"{name} is {value:.6g} in the result, {computed[name]:.6g} by its pixels")
    return found
