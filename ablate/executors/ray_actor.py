"""On a node of Ray: an actor that has the process of one cohort (``ablate.executors.node``).

That process is another one than Ray's: Ray's is ended in many ways, has threads and signal handlers
of its own, and may take the other with it.
"""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

# How long the actor stays when its process has ended, for who has submitted it to see how. After
# that it gives its place back by itself.
_LINGER_S = 10.0


class Node:
    """Starts the process as soon as Ray has made the actor; its methods return at once.

    So the work goes on without calls from the driver, which may be gone.

    Args:
        log: Takes what the process prints.
        words: What ``ablate.executors.node`` is started with.

    Raises:
        OSError: If this node does not see the store's folder.
    """

    def __init__(self, log: str, words: Sequence[str]) -> None:
        """Starts the process."""
        self._is_stopping = False
        with Path(log).open("ab") as file:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "ablate.executors.node", *words],
                stdin=subprocess.PIPE,  # It ends with this process.
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        threading.Thread(target=self._end_after_it, daemon=True).start()

    def look(self) -> int | None:
        """The exit code of the process; None: it runs."""
        return self._process.poll()

    def stop(self) -> None:
        """Requests a stop; a second time ends the work at once."""
        if self._process.poll() is None:
            # Two signals of one kind that come together are one.
            self._process.send_signal(signal.SIGTERM if self._is_stopping else signal.SIGINT)
            self._is_stopping = True

    def _end_after_it(self) -> None:
        self._process.wait()
        time.sleep(_LINGER_S)
        os._exit(0)
