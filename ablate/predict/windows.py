"""Square windows over a scene, and the weights by which their predictions are blended."""

import math

import numpy as np
import numpy.typing as npt


class Axis:
    """Windows along one side of a scene.

    A prediction counts less the nearer it is to the border of its window, where the model sees
    little around it: by sin² over the overlap. The weights of all windows over a pixel are divided
    by their sum, so that where windows agree nothing changes, and nowhere is there a step.

    Attributes:
        length: Pixels of the side.
        size: Pixels of a window; a side that is shorter has one window, which reaches beyond it.
        starts: Where the windows begin, in order.
        weights: Of a window's pixels, of shape ``size``.
        total: The sum of all windows' weights at each pixel, of shape ``length``.
    """

    def __init__(self, length: int, size: int, overlap: int) -> None:
        """Places the windows.

        Args:
            length: Pixels of the side.
            size: Pixels of a window.
            overlap: Pixels that neighbours share at least, fewer than half a window; the last one
                is moved back to end with the scene.
        """
        self.length, self.size = length, size
        stride = size - overlap
        count = max(1, math.ceil((length - overlap) / stride))
        self.starts = [min(index * stride, max(0, length - size)) for index in range(count)]
        depth = np.minimum(np.arange(size), np.arange(size)[::-1]) + 0.5
        ramp = np.clip(depth / max(overlap, 1), 0, 1)
        self.weights = (np.sin(ramp * math.pi / 2) ** 2).astype(np.float32)
        self.total: npt.NDArray[np.float32] = np.zeros(max(length, size), np.float32)
        for start in self.starts:
            self.total[start : start + size] += self.weights
        self.total = self.total[:length]

    @property
    def done_after(self) -> list[int]:
        """Up to which pixel no later window reaches, after each window."""
        return [*self.starts[1:], self.length]
