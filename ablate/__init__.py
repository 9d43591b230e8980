"""Ablation studies of adapters on a frozen Segment Anything Model."""


def __getattr__(name: str) -> str:
    """``__version__``, looked up when asked for: reading a package's metadata takes a while."""
    if name != "__version__":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib.metadata import version

    return version("ablate")
