"""The values that a mask's file holds, before any rule says which are positive."""

from pathlib import Path

import numpy as np
from PIL import Image as Pillow


def odd_levels(path: Path) -> tuple[int, ...]:
    """The values of a mask that are neither 0 nor its greatest, in order.

    A palette that shows greys counts as those greys, any other palette as its class numbers. A file
    that is not a plain raster of whole numbers has none.
    """
    try:
        with Pillow.open(path) as image:
            levels = np.asarray(image.convert("RGB")) if image.mode == "P" else np.asarray(image)
            if image.mode == "P" and (levels != levels[..., :1]).any():
                levels = np.asarray(image)
    # Decoders raise errors of many kinds on broken files, which are findings of their own.
    except Exception:
        return ()
    if levels.ndim == 3:
        levels = levels[..., 0]
    values = np.unique(levels)
    if values.dtype.kind not in "ui":
        return ()
    return tuple(int(value) for value in values[:-1] if value != 0)
