"""SAM with adapters: built by module from a variant, frozen by module, decoded without prompts."""

from ablate.models.sam import build, count, load_weights
from ablate.models.segmenter import Segmenter

__all__ = ["Segmenter", "build", "count", "load_weights"]
