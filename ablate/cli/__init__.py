"""The command line: the only place where the rooms meet, and the only one that prints."""

import os
import sys

from ablate.errors import BadInput, Interrupted, SpecError


def main() -> None:
    """Runs the command line and leaves with its exit code.

    0: all done; 1: some run failed; 2: bad input, nothing started; 75: interrupted, state saved.
    """
    from ablate.cli.app import app
    from ablate.cli.config import load_settings

    try:
        load_settings()
        app()
    except BrokenPipeError:
        # Whoever read the output has seen enough, as in `ablate report … | head`.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except (BadInput, Interrupted, OSError) as error:
        if isinstance(error, OSError) and error.filename is None:
            raise
        sys.exit(_say_why(error))


def _say_why(error: BadInput | Interrupted | OSError) -> int:
    """Prints what went wrong, and returns the exit code."""
    # Only now: most commands end without it, and `--help` needs no console.
    from ablate.cli.console import err, say_error

    match error:
        case Interrupted():
            err.print(f"interrupted: {error}; the same command continues", soft_wrap=True)
            return 75
        case SpecError():
            for problem in error.problems:
                say_error(problem)
        case BadInput():
            say_error(str(error))
        case _:
            say_error(f"{error.filename}: {error.strerror}; check the path and its permissions")
    return 2
