from .changes import changes_since
from .drawing import split
from .folders import given_split
from .images import Images
from .opening import detect, open_images
from .prepared import Prepared, prepare
from .split_parts import Parts
from .splitting import identify, parts
from .verified import verify

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
