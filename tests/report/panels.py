"""Panels as runs leave them: image, ground truth and prediction side by side."""

from pathlib import Path

import numpy as np
from PIL import Image

SIDE_PX = 64
IMAGE, WHITE, BLACK = (40, 120, 30), (255, 255, 255), (0, 0, 0)
FALSE_POSITIVE, FALSE_NEGATIVE = (230, 159, 0), (0, 114, 178)


def leave_painted_panel(folder: Path, name: str) -> None:
    """A square of ground truth, half of it found, and a false alarm beside it."""
    image, ground_truth, prediction = (
        np.full((SIDE_PX, SIDE_PX, 3), colour, np.uint8) for colour in (IMAGE, BLACK, BLACK)
    )
    ground_truth[16:48, 16:48] = WHITE
    prediction[16:48, 16:32] = WHITE
    prediction[16:48, 32:48] = FALSE_NEGATIVE
    prediction[16:48, 48:56] = FALSE_POSITIVE
    folder.mkdir(exist_ok=True)
    panel = np.concatenate([image, ground_truth, prediction], axis=1)
    Image.fromarray(panel).save(folder / name)
