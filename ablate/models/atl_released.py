"""The adapter as the authors' public code has it (github.com/JunchuanYu/TransLandSeg).

Maps are BxHxWxM inside the encoder and BxHxWxd in the bottleneck: B images, HxW tokens, M
channels of the encoder, d = ``AtlReleasedAdapter.width``.
"""

import torch
from segment_anything.modeling import ImageEncoderViT
from torch import Tensor, nn

from ablate.models.midlays import ConvMidLay, linear_midlay
from ablate.spec import AtlReleasedAdapter

# Share of the spectrum's area, around frequency zero, that is taken out.
_LOW_SHARE = 0.25
_STD = 0.02


def high_pass(images: Tensor) -> Tensor:
    """The strength of the image's high frequencies, as the authors' public code takes it.

    Each channel's 2-D spectrum is shifted so that frequency zero lies at the centre; a square
    around it is set to zero, from ``centre - half`` up to but not including
    ``centre + half``, where 2 * half is the square root of a quarter of the image's area,
    rounded down to an even number. What remains is transformed back; the absolute value of its
    real part is the result. Half precision is raised to float32, which the transform needs.

    Args:
        images: Normalised images, Bx3xHxW.

    Returns:
        Bx3xHxW, none below zero.
    """
    images = images if images.dtype == torch.float64 else images.float()
    height, width = images.shape[-2:]
    half = int((height * width * _LOW_SHARE) ** 0.5) // 2
    top, left = height // 2 - half, width // 2 - half
    keep = torch.ones(height, width, dtype=images.dtype, device=images.device)
    keep[top : top + 2 * half, left : left + 2 * half] = 0
    spectrum = torch.fft.fftshift(torch.fft.fft2(images), dim=(-2, -1))
    filtered = torch.fft.ifftshift(spectrum * keep, dim=(-2, -1))
    strength: Tensor = torch.fft.ifft2(filtered).real.abs()
    return strength


def _midlays(adapter: AtlReleasedAdapter, channels: int) -> nn.Sequential:
    """The MidLays of one block; MidLays c also widen to M, MidLays m stay at d."""
    d = adapter.width
    if "c" in adapter.midlays:
        return nn.Sequential(
            ConvMidLay(nn.Conv2d(d, d, 1)),
            ConvMidLay(nn.Conv2d(d, d, 3, padding=1, groups=d, bias=False)),
            ConvMidLay(nn.Conv2d(d, channels, 1)),
        )
    return nn.Sequential(*(linear_midlay(d) for _ in adapter.midlays))


class Prompts(nn.Module):
    """All prompts of an image: prompt_i = L_up(MidLays_i(L_down(E) + Conv(F))).

    E is the patch embedding before positions are added, F the image's high frequencies.
    MidLays c×3 end at M channels, and L_up is left out.

    Args:
        adapter: The MidLays and their width.
        encoder: The encoder that the prompts are for.
    """

    def __init__(self, adapter: AtlReleasedAdapter, encoder: ImageEncoderViT) -> None:
        """Weights from a truncated normal distribution (σ = 0.02), biases zero; L_up likewise."""
        super().__init__()
        patches = encoder.patch_embed.proj
        channels, d = patches.out_channels, adapter.width
        self.down = nn.Linear(channels, d)
        self.high = nn.Conv2d(3, d, patches.kernel_size, stride=patches.stride)
        self.midlays = nn.ModuleList(_midlays(adapter, channels) for _ in encoder.blocks)
        self.up = nn.Identity() if "c" in adapter.midlays else nn.Linear(d, channels)
        self.apply(_start)

    def feature(self, patches: Tensor, images: Tensor) -> Tensor:
        """The feature that all prompts are made from.

        Args:
            patches: The patch embedding without positions, BxHxWxM.
            images: Normalised images, Bx3xSxS.

        Returns:
            BxHxWxd.
        """
        # The filter computes in float32; outside of autocast the layers may be of half precision.
        high = high_pass(images).to(images.dtype)
        feature: Tensor = self.down(patches) + self.high(high).permute(0, 2, 3, 1)
        return feature

    def forward(self, feature: Tensor, block: int) -> Tensor:
        """The prompt of one block.

        Args:
            feature: BxHxWxd.
            block: Number of the block, from 0.

        Returns:
            BxHxWxM.
        """
        prompt: Tensor = self.up(self.midlays[block](feature))
        return prompt


def _start(module: nn.Module) -> None:
    """Initialises linear layers and convolutions as the public code; LayerNorms keep theirs."""
    if isinstance(module, nn.Linear | nn.Conv2d):
        nn.init.trunc_normal_(module.weight, std=_STD)
        if module.bias is not None:
            nn.init.zeros_(module.bias)


class PromptedEncoder(nn.Module):
    """SAM's encoder, which adds a prompt to the stream before every block.

    Nothing is kept from one image to the next: the prompts' feature is an argument, so the module
    can be copied and pickled like any other.

    Args:
        encoder: SAM's own encoder; its submodules are used, its forward is not.
        prompts: The adapter.
    """

    def __init__(self, encoder: ImageEncoderViT, prompts: Prompts) -> None:
        """Keeps both as they are."""
        super().__init__()
        self.encoder = encoder
        self.prompts = prompts

    def forward(self, images: Tensor) -> Tensor:
        """Maps normalised images, Bx3xSxS, to embeddings, BxCxhxw."""
        patches = self.encoder.patch_embed(images)
        feature = self.prompts.feature(patches, images)
        x = patches + self.encoder.pos_embed
        for index, block in enumerate(self.encoder.blocks):
            x = block(x + self.prompts(feature, index))
        embeddings: Tensor = self.encoder.neck(x.permute(0, 3, 1, 2))
        return embeddings
