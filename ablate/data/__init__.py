"""Data sets: opening, splitting and preparing them. Imports no torch; ``batches`` does."""

from ablate.data.folders import given_split
from ablate.data.images import Images
from ablate.data.opening import detect, open_images
from ablate.data.prepared import Prepared, prepare
from ablate.data.splitting import identify, parts, split
from ablate.data.verified import verify

__all__ = [
    "Images",
    "Prepared",
    "detect",
    "given_split",
    "identify",
    "open_images",
    "parts",
    "prepare",
    "split",
    "verify",
]
