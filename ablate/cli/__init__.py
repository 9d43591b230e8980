"""The command line: parses, prints and exits; what it does lies in ``ablate.study``."""

import atexit
import errno
import gc
import os
import sys

from ablate.cli.signals import interrupt_on_signals, leave_on_signals
from ablate.errors import BadInput, ExitCode, Interrupted, RunFailed, SpecError, StoresDiffer

_COLLECT_AFTER = 100_000
# A full disk, and no folder for temporary files: the system names no file.
_NAMELESS = (errno.ENOSPC, errno.EDQUOT, errno.ENOENT)


def main() -> None:
    """Runs the command line and leaves with its exit code.

    0: all done; 1: some run failed; 2: bad input, nothing started; 3: some run is not done, though
    none failed: another process trains it; 75: interrupted, state saved.
    """
    # A report over thousands of runs makes millions of values and hardly any cycle among them:
    # with Python's own thresholds, a quarter of its time goes into looking for those.
    gc.set_threshold(_COLLECT_AFTER)
    # What is left at the end goes with the process. Python would look through all of it for cycles
    # first, several times: a fifth of the time of a short command.
    atexit.register(gc.freeze)
    # Looking for plug-ins of pydantic reads the metadata of every installed package.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    interrupt_on_signals()
    try:
        _run()
    finally:
        leave_on_signals()


def _run() -> None:
    try:
        from ablate.cli.app import app

        _accept_any_encoding()
        app()
    except KeyboardInterrupt:
        sys.exit(_report_cause(Interrupted("nothing was started")))
    except BrokenPipeError:
        # The reader has seen enough, as in `ablate report … | head`.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except (BadInput, RunFailed, Interrupted, OSError) as error:
        if isinstance(error, OSError) and error.filename is None and error.errno not in _NAMELESS:
            raise
        sys.exit(_report_cause(error))


def _accept_any_encoding() -> None:
    """Lets a terminal that lacks a character show a question mark: it never ends the command."""
    for stream in (sys.stdout, sys.stderr):
        # A stream that was replaced, as tests do, need not be of this kind.
        if reconfigure := getattr(stream, "reconfigure", None):
            reconfigure(errors="replace")


def _report_cause(error: BadInput | RunFailed | Interrupted | OSError) -> ExitCode:
    """Prints what went wrong, and returns the exit code."""
    # Most commands end without it, and `--help` needs no console.
    from ablate.cli.console import err, print_error

    match error:
        case Interrupted():
            err.print(f"interrupted: {error}; the same command continues", soft_wrap=True)
            for note in getattr(error, "__notes__", ()):
                err.print(note, soft_wrap=True)
            return ExitCode.INTERRUPTED
        case SpecError() | StoresDiffer():
            for problem in error.problems:
                print_error(problem)
        case BadInput():
            print_error(str(error))
        case RunFailed():
            print_error(str(error))
            return ExitCode.RUN_FAILED
        case _:
            from ablate.runs.disk import in_words

            print_error("; ".join(in_words(error)))
    return ExitCode.BAD_INPUT
