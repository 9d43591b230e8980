"""The interface between the training loop and every model."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from ablate.errors import WeightsError
from ablate.models.checkpoint import gaps_between, shapes_of
from ablate.runs import Parameters


class SegmentationModel(nn.Module):
    """A model that maps images (Bx3xSxS, normalised) to logits of the positive class (Bx1xSxS).

    What is trained is what ``requires_grad``; everything else is frozen.
    """

    def weighted_logits(self, images: Tensor) -> list[tuple[float, Tensor]]:
        """The terms of a training step's loss: the weight of each and its logits (Bx1xSxS).

        Args:
            images: Normalised images, Bx3xSxS.
        """
        return [(1.0, self(images))]

    def parameters_without_gradient(self) -> frozenset[str]:
        """Names of trained parameters that the loss never moves; none unless a model says so."""
        return frozenset()

    @property
    def mixes_images(self) -> bool:
        """Whether what training makes of an image depends on the others of its batch."""
        return any(isinstance(module, _BatchNorm) for module in self.modules())

    def count_parameters(self) -> Parameters:
        """Counts as the paper's Table III does."""
        return Parameters(
            total=sum(value.numel() for value in self.parameters()),
            trainable=sum(value.numel() for value in self.parameters() if value.requires_grad),
            adapter=0,
            sites=0,
        )

    def trainable_state(self) -> dict[str, Tensor]:
        """Copies of what training changes, on the CPU, named by the modules that own them."""
        return {
            name: value.detach().to("cpu", copy=True) for name, value in self._learned().items()
        }

    def load_trainable_state(self, state: Mapping[str, Tensor]) -> None:
        """Puts the values of ``trainable_state`` back.

        Raises:
            WeightsError: If a name is missing or not known, or a shape is another.
        """
        own = self._learned()
        if gaps := gaps_between(shapes_of(state), shapes_of(own)):
            raise WeightsError(
                f"the trained weights do not fit this variant ({gaps})",
                "load them into the variant and the backbone that they were trained with",
            )
        with torch.no_grad():
            for name, value in own.items():
                value.copy_(state[name])

    def _learned(self) -> dict[str, Tensor]:
        """What training changes, the tensors themselves: the trained parameters.

        A model with running statistics adds them.
        """
        return {name: value for name, value in self.named_parameters() if value.requires_grad}
