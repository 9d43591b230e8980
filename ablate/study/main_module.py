"""Lets a script without ``if __name__ == "__main__"`` start processes."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def without_main_module() -> Iterator[None]:
    """While this is open, processes that Python starts do not run the caller's script again.

    They would, to find functions that are defined in it; everything that ablate sends to its
    processes is found in ablate itself. Without this, four lines in a file would have to be
    guarded, or each process would start the sweep anew.
    """
    main = sys.modules["__main__"]
    names = ("__file__", "__spec__")
    kept = {name: getattr(main, name) for name in names if hasattr(main, name)}
    main.__spec__ = None
    if "__file__" in kept:
        del main.__file__
    try:
        yield
    finally:
        for name, value in kept.items():
            setattr(main, name, value)
