"""What the fork server imports, once for all processes that are copied from it."""

import importlib
from contextlib import suppress

# What fails here fails again in the copies and is reported there; a dead server reports nothing.
with suppress(Exception):
    importlib.import_module("ablate.train")
