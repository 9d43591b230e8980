"""Data sets: opening, splitting and preparing them. Imports no torch; ``batches`` does."""

from ablate.data.changes import changes_since
from ablate.data.drawing import split
from ablate.data.folders import given_split
from ablate.data.images import Images
from ablate.data.opening import detect, open_images
from ablate.data.parts import Parts
from ablate.data.prepared import Prepared, prepare
from ablate.data.splitting import identify, parts
from ablate.data.verified import verify

__all__ = [
    "Images",
    "Parts",
    "Prepared",
    "changes_since",
    "detect",
    "given_split",
    "identify",
    "open_images",
    "parts",
    "prepare",
    "split",
    "verify",
]
