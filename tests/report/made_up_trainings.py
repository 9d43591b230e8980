"""Trainings of two rows on made-up images, whose true difference of MIoU is known."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ablate.report.images import deviations_of, miou_percent
from ablate.report.paired import Images, PairedMean, paired_mean
from ablate.runs import Confusions
from ablate.spec import Repeat

Floats = npt.NDArray[np.float64]

_PIXELS = 10**6
_DRAWS = 400


@dataclass(frozen=True)
class Population:
    """What images and trainings are drawn from; effects are on the logit scale of both errors.

    Attributes:
        of_training: Standard deviation of a training's effect on all images.
        of_split: That of a split's effect on a row, over all its trainings.
        of_image: That of a row's effect on one image, in all trainings.
        of_both: That of a training's effect on one image.
        ahead: How far the first row is ahead of the second.
        positives: Parameters of the beta distribution of an image's share of positive pixels.
    """

    of_training: float = 0.1
    of_split: float = 0.0
    of_image: float = 0.5
    of_both: float = 0.3
    ahead: float = 0.0
    positives: tuple[float, float] = (1.0, 4.0)

    def confusions(self, random: np.random.Generator, trainings: int, images: int) -> Floats:
        """Pixels of two rows on one split; shape 2 x trainings x images x 4."""
        share = random.beta(*self.positives, size=images)
        hard = random.normal(0, 1, images)
        cells = []
        for level in (-2.0, -4.5):
            effect = np.array([-0.5, 0.5]).reshape(2, 1, 1) * self.ahead + level + hard
            effect = effect + random.normal(0, self.of_split, (2, 1, 1))
            effect = effect + random.normal(0, self.of_training, (2, trainings, 1))
            effect = effect + random.normal(0, self.of_image, (2, 1, images))
            effect = effect + random.normal(0, self.of_both, (2, trainings, images))
            cells.append(1 / (1 + np.exp(-effect)))
        positive, background = np.round(_PIXELS * share), _PIXELS - np.round(_PIXELS * share)
        fn, fp = np.round(positive * cells[0]), np.round(background * cells[1])
        return np.stack([positive - fn, fp, fn, background - fp], axis=-1)

    def truth(self, random: np.random.Generator) -> float:
        """The mean difference of MIoU over very many trainings and images."""
        pixels = self.confusions(random, 200, 5_000).sum(axis=2)
        first, second = miou_percent(pixels).mean(axis=1)
        return float(first - second)


def trained(
    population: Population,
    random: np.random.Generator,
    seeds: int,
    images: int,
    splits: Sequence[int] = (0,),
) -> PairedMean:
    """The difference of two rows, each trained with some seeds on every split."""
    values: dict[Repeat, float] = {}
    confusions: dict[str, Confusions] = {}
    for split in splits:
        pixels = population.confusions(random, seeds, images)
        mious = miou_percent(pixels.sum(axis=2))
        names = tuple(f"{split}-{number}" for number in range(images))
        for seed in range(seeds):
            values[Repeat(split, seed)] = float(mious[0, seed] - mious[1, seed])
            for row in (0, 1):
                counts = pixels[row, seed].astype(np.int64)
                confusions[f"{row}-{split}-{seed}"] = Confusions(names, counts)
    draws = deviations_of(confusions, _DRAWS)
    deviations = {
        (split, seed): draws[f"0-{split}-{seed}"] - draws[f"1-{split}-{seed}"]
        for split, seed in values
    }
    made = paired_mean(values, Images(images, {Repeat(*key): d for key, d in deviations.items()}))
    assert made is not None
    return made
