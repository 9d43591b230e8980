"""Values of SAM-nano that keep a picture: made from a seed, the same on every machine.

A random image encoder loses most of a picture within a few layers, and what is trained on top of it
receives nothing to begin with. So pre-training starts from an encoder that is built to keep it:

- The patch embedding takes the low frequencies (a cosine basis) of each 16x16 patch in three
  opponent colours, evens out their strengths, and mixes them by a random rotation.
- Attention averages over neighbourhoods of several sizes, one for each head, and leans a little
  to tokens that look alike; its output is a rotation of what it averaged.
- Each block's branches are weak beside the stream that passes them by.
- The neck undoes the rotation and keeps the coarsest 64 of the 96 numbers.
"""

import math
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from segment_anything.modeling import Sam
from segment_anything.modeling.common import LayerNorm2d
from segment_anything.modeling.prompt_encoder import PositionEmbeddingRandom
from torch import Tensor, nn

Array = NDArray[np.float64]

_SEED = 2024
# (frequencies kept along each side, strength) of brightness, red-blue and green-magenta:
# 64 + 16 + 16 numbers fill the encoder's 96 channels. Land differs little in colour and much in
# brightness (slopes in the sun and in the shade), but colour identifies more of it.
_COLOURS = (
    ((1.0, 1.0, 1.0), 8, 1.0),
    ((1.0, 0.0, -1.0), 4, 12.0),
    ((1.0, -2.0, 1.0), 4, 24.0),
)
# A picture's strength falls with frequency; the slope that partly evens it out.
_WHITENING = 0.5
_BIAS = 1.0
_POSITION = 0.05
_ATTENTION_OUT = 0.3
_MLP_OUT = 0.5
_LIKENESS = 0.5
# Inverse variance of each head's neighbourhood, in tokens; 0 is the whole window.
_SHARPNESS = (0.0, 0.2, 1.0)


def fill(sam: Sam) -> None:
    """Gives every parameter and buffer of a SAM-nano on the CPU its value."""
    # NumPy's legacy generator is the one whose stream is promised never to change.
    rng = np.random.RandomState(_SEED)
    _fill_plain(sam, rng)
    _fill_encoder(sam.image_encoder, rng)


def _put(target: Tensor, values: Array) -> None:
    """Overwrites a tensor in place, rounding from float64 once."""
    with torch.no_grad():
        target.copy_(torch.from_numpy(np.ascontiguousarray(values)).reshape(target.shape))


def _rotation(rng: np.random.RandomState, size: int) -> Array:
    """A random orthogonal size x size matrix."""
    q, r = np.linalg.qr(rng.standard_normal((size, size)))
    rotation: Array = q * np.sign(np.diag(r))
    return rotation


def _fill_plain(sam: Sam, rng: np.random.RandomState) -> None:
    """The usual start of every layer: outputs as strong as inputs, zero biases, unit norms."""
    for module in sam.modules():
        if isinstance(module, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
            shape = tuple(module.weight.shape)
            # SAM's transposed convolutions do not overlap: each output sees each input once.
            fan_in = shape[0] if isinstance(module, nn.ConvTranspose2d) else math.prod(shape[1:])
            _put(module.weight, rng.standard_normal(shape) / math.sqrt(fan_in))
            if module.bias is not None:
                _put(module.bias, np.zeros(module.bias.shape))
        elif isinstance(module, nn.LayerNorm | LayerNorm2d):
            _put(module.weight, np.ones(module.weight.shape))
            _put(module.bias, np.zeros(module.bias.shape))
        elif isinstance(module, nn.Embedding):
            _put(module.weight, rng.standard_normal(tuple(module.weight.shape)))
        elif isinstance(module, PositionEmbeddingRandom):
            matrix = module.positional_encoding_gaussian_matrix
            _put(matrix, rng.standard_normal(tuple(matrix.shape)))


def _fill_encoder(encoder: Any, rng: np.random.RandomState) -> None:
    basis, frequency = _patch_basis(encoder.patch_embed.proj.kernel_size[0])
    channels = len(basis)
    mixing = _rotation(rng, channels)
    _put(encoder.patch_embed.proj.weight, mixing @ basis)
    # Without an offset, the first LayerNorm could not distinguish a bright patch from a dim one.
    _put(encoder.patch_embed.proj.bias, _BIAS * rng.standard_normal(channels))
    _put(encoder.pos_embed, _POSITION * waves(encoder.pos_embed.shape[1], channels))
    for block in encoder.blocks:
        _fill_attention(block.attn, channels, rng)
        _put(block.mlp.lin2.weight, _MLP_OUT * block.mlp.lin2.weight.detach().numpy())
    out_channels = encoder.neck[0].out_channels
    coarsest = np.argsort(frequency, kind="stable")[:out_channels]
    _put(encoder.neck[0].weight, _rotation(rng, out_channels) @ mixing.T[coarsest])
    centre = np.zeros((out_channels, out_channels, 3, 3))
    centre[:, :, 1, 1] = _rotation(rng, out_channels)
    _put(encoder.neck[2].weight, centre)


def _patch_basis(side: int) -> tuple[Array, Array]:
    """Rows that read a patch's low frequencies, and how fine each one is.

    Returns:
        The basis, Mx(3*side*side), and the frequency of each row, M.
    """
    position = (np.arange(side) + 0.5) / side
    rows, frequencies = [], []
    for colour, kept, strength in _COLOURS:
        direction = np.asarray(colour) / np.linalg.norm(colour)
        for v in range(kept):
            for u in range(kept):
                wave = np.outer(np.cos(np.pi * v * position), np.cos(np.pi * u * position))
                wave /= np.square(wave).mean() ** 0.5
                gain = strength * (1 + _WHITENING * math.hypot(u, v)) / side**2
                rows.append(gain * np.multiply.outer(direction, wave).ravel())
                frequencies.append(math.hypot(u, v))
    return np.stack(rows), np.asarray(frequencies)


def waves(side: int, channels: int) -> Array:
    """Sines and cosines across and down a grid of tokens, 1 x side x side x channels.

    Wavelengths go from 2 to 32 tokens.
    """
    # Four kinds (sine and cosine, along and across) of each wavelength.
    wavelength = 2.0 ** np.linspace(1, 5, channels // 4)
    phase = 2 * np.pi * np.arange(side)[:, None] / wavelength
    line = np.concatenate([np.sin(phase), np.cos(phase)], axis=-1)
    down = np.broadcast_to(line[:, None], (side, side, channels // 2))
    across = np.broadcast_to(line[None, :], (side, side, channels // 2))
    return np.concatenate([down, across], axis=-1)[None]


def _fill_attention(attention: Any, channels: int, rng: np.random.RandomState) -> None:
    """Neighbourhoods by a constant query that reads the tables of relative positions.

    SAM adds q·R(distance) to the scores. The first channel of each head's query is a constant
    (the head's sharpness), the tables hold -distance²/2 there and nothing else: a Gaussian.
    """
    heads = attention.num_heads
    head_channels = channels // heads
    likeness = np.stack([_rotation(rng, channels)[:head_channels] for _ in range(heads)])
    likeness *= math.sqrt(_LIKENESS)
    likeness[:, 0] = 0
    likeness = likeness.reshape(channels, channels)
    _put(attention.qkv.weight, np.stack([likeness, likeness, _rotation(rng, channels)]))
    query_bias = np.zeros((3, heads, head_channels))
    query_bias[0, :, 0] = _SHARPNESS
    _put(attention.qkv.bias, query_bias)
    for table in (attention.rel_pos_h, attention.rel_pos_w):
        length = table.shape[0]
        distance = np.arange(length) - length // 2
        values = np.zeros((length, head_channels))
        values[:, 0] = -(distance**2) / 2
        _put(table, values)
    _put(attention.proj.weight, _ATTENTION_OUT * _rotation(rng, channels))
