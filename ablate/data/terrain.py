"""The ground of a generated scene, and the means to paint on it.

All lengths are in frame widths and all noise is cut off at the same number of cycles per frame:
the random generator decides the landscape, ``size_px`` only how finely it is sampled.
"""

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy import ndimage

Field = NDArray[np.float64]


@dataclass(frozen=True)
class Land:
    """The ground and what has been painted on it so far; lengths in frame widths.

    Attributes:
        y: Rows of the pixels' centres, Hx1.
        x: Columns of the pixels' centres, 1xW.
        ground: Height of the bare ground, HxW.
        valley: Distance to the valley's line, HxW.
        grain: Fine texture shared by every kind of ground, HxW, of unit variance.
        surface: Height of the ground and of all that is on it, HxW, painted in place.
        albedo: Colour without light, 3xHxW, in [0, 1], painted in place.
    """

    y: Field
    x: Field
    ground: Field
    valley: Field
    grain: Field
    surface: Field
    albedo: Field

    def paint(self, cover: Field, colour: Field) -> None:
        """Lays a colour (3x1x1 or 3xHxW) over the land, weighted by cover (HxW, in [0, 1])."""
        layer = colour - self.albedo
        layer *= cover
        np.add(self.albedo, layer, out=self.albedo)

    def level(self, cover: Field, height: Field) -> None:
        """Brings the surface to a height (HxW), weighted by cover (HxW, in [0, 1])."""
        np.add(self.surface, cover * (height - self.surface), out=self.surface)

    def smoothed(self, width: float) -> Field:
        """The bare ground without anything narrower than the width."""
        return np.asarray(ndimage.gaussian_filter(self.ground, width * len(self.ground)))

    def rotated(self, centre: Field, angle: float) -> tuple[Field, Field]:
        """Coordinates of the pixels, two times HxW, about a centre (row, column)."""
        y, x = self.y - centre[0], self.x - centre[1]
        return np.cos(angle) * x + np.sin(angle) * y, np.cos(angle) * y - np.sin(angle) * x


def raise_land(rng: Generator, size_px: int) -> Land:
    """Hills with spurs and gullies on a tilted plane, cut by one valley."""
    centres = (np.arange(size_px) + 0.5) / size_px
    y, x = centres[:, None], centres[None, :]
    valley = wavy_line(rng, y, x, 0.06)
    hills = rng.uniform(0.025, 0.05) * noise(rng, size_px, 1, 32, 2.4)
    gullies = rng.uniform(0.004, 0.014) * np.abs(noise(rng, size_px, 3, 16, 1.4))
    tilt = rng.uniform(-0.25, 0.25, 2)
    flanks = rng.uniform(0.2, 0.5) * np.sqrt(valley**2 + 0.05**2)
    ground = hills + gullies + flanks + tilt[0] * y + tilt[1] * x
    grain = noise(rng, size_px, 6, 60, 0.5)
    return Land(y, x, ground, valley, grain, ground.copy(), np.zeros((3, size_px, size_px)))


def noise(rng: Generator, size_px: int, lowest: float, highest: float, decay: float) -> Field:
    """A random field, HxW, of zero mean and about unit variance, the same at every size.

    It holds the waves with ``lowest`` to ``highest`` cycles per frame; their amplitudes fall
    with the frequency to the power ``decay``.
    """
    most = int(highest)
    radius = np.hypot(*np.ogrid[-most : most + 1, 0 : most + 1])
    amplitude = np.where((radius >= lowest) & (radius <= highest), 1.0, 0.0)
    amplitude /= np.maximum(radius, 1.0) ** decay
    parts = rng.standard_normal((2, *radius.shape))
    waves = amplitude * (parts[0] + 1j * parts[1])
    kept = min(most, (size_px - 1) // 2)
    spectrum = np.zeros((size_px, size_px // 2 + 1), dtype=np.complex128)
    rows = np.arange(-kept, kept + 1)
    spectrum[rows, : kept + 1] = waves[rows + most, : kept + 1]
    spectrum *= size_px**2 / (2.0 * np.sqrt((amplitude[:, 1:] ** 2).sum()))
    return np.asarray(np.fft.irfft2(spectrum, s=(size_px, size_px)))


def smoothstep(value: Field, low: float, high: float) -> Field:
    """Rises smoothly from 0 at ``low`` to 1 at ``high``."""
    ramp = np.clip((value - low) / (high - low), 0.0, 1.0)
    return ramp * ramp * (3.0 - 2.0 * ramp)


def slopes(height: Field) -> tuple[Field, Field]:
    """Rise per frame width along rows and along columns."""
    rise = np.gradient(height, 1.0 / len(height))
    return rise[0], rise[1]


def mix(palette: Field, shares: Field) -> Field:
    """The colours of a palette (Nx3) mixed in the given shares, 3x1x1."""
    return np.asarray((shares @ palette)[:, None, None])


def blend(rng: Generator, palette: Field) -> Field:
    """A colour between those of a palette (Nx3), mostly near one of them, 3x1x1."""
    return mix(palette, rng.dirichlet(np.full(len(palette), 0.5))) * rng.uniform(0.88, 1.12)


def wavy_line(rng: Generator, y: Field, x: Field, wiggle: float) -> Field:
    """Distance, HxW, to a line that crosses the frame in bends."""
    angle = rng.uniform(0.0, 2.0 * np.pi)
    line = np.cos(angle) * (x - 0.5) + np.sin(angle) * (y - 0.5) - rng.uniform(-0.3, 0.3)
    line = line + wiggle * noise(rng, len(line), 1, 5, 1.2)
    return np.asarray(np.abs(line) / np.maximum(np.hypot(*slopes(line)), 0.3))
