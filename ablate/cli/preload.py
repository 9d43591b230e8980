"""Imported once, by the server that processes are copied from (``ablate.cli.processes``)."""

from contextlib import suppress

# What fails here fails again in the copies, and is told there; a server that dies tells nobody.
with suppress(Exception):
    import ablate.train  # noqa: F401
