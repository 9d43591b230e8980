"""What the fork server imports, once for all processes that are copied from it."""

import importlib
import signal
from contextlib import suppress

from ablate.errors import STOP_SIGNALS

# The driver passes signals on to its workers; one that reaches the whole process group, as Ctrl-C
# does, ends neither the server nor, since they inherit this, its copies. SIGTERM is what the driver
# sends them.
for _number in STOP_SIGNALS:
    if _number is not signal.SIGTERM:
        signal.signal(_number, signal.SIG_IGN)

# What fails here fails again in the copies and is reported there; a dead server reports nothing.
with suppress(Exception):
    importlib.import_module("ablate.train")
