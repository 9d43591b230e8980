"""What a signal means to the command line: an interruption, whenever it comes.

The waiting loop of the executors has handlers of its own; these are for the time before and after.
"""

import atexit
import os
import signal
import sys
from types import FrameType

from ablate.errors import ExitCode, stop_signals


def interrupt_on_signals() -> None:
    """Makes every stop signal raise KeyboardInterrupt, as Ctrl-C does, with the signal's name.

    Otherwise SIGTERM would end this process at once, and leave its children behind.
    """
    # Python restores the default action when it ends, unless a signal is ignored. What is
    # registered first is called last: by then, all other processes have ended.
    atexit.register(_ignore)
    for number in stop_signals():
        if number is not signal.SIGINT:
            signal.signal(number, _interrupt)


def leave_on_signals() -> None:
    """Makes every stop signal end this process at once as interrupted: nothing is left to do."""
    for number in stop_signals():
        signal.signal(number, _leave)


def _ignore() -> None:
    for number in stop_signals():
        signal.signal(number, signal.SIG_IGN)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt(signal.Signals(number).name)


def _leave(number: int, frame: FrameType | None) -> None:
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            continue
    os._exit(ExitCode.INTERRUPTED)
