"""Signals request a stop; the loop checks for it after every step."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from ablate.errors import stop_signals


class Stop:
    """Whether a stop was requested."""

    def __init__(self) -> None:
        """Not yet."""
        self.requested = False

    def request(self, signum: int, frame: FrameType | None) -> None:
        """Requests a stop; fits ``signal.signal``."""
        self.requested = True


@contextmanager
def stop_on_signals() -> Iterator[Stop]:
    """While this is open, the stop signals request a stop instead of ending the process.

    Only a process's main thread receives signals; in any other thread no handler is installed.
    """
    stop = Stop()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    numbers = stop_signals()
    before = [signal.signal(number, stop.request) for number in numbers]
    try:
        yield stop
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)
