"""Data sets: opening, splitting and preparing them. Imports no torch; ``batches`` does."""

import lazy_loader

# Each name is loaded when it is first used: a command waits for the modules that it needs alone.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
