"""The command line: the only place where the rooms meet, and the only one that prints."""

import os
import sys


def main() -> None:
    """Runs the command line and leaves with its exit code.

    0: all done; 1: some run failed; 2: bad input, nothing started; 75: interrupted, state saved.
    """
    from ablate.cli.app import app
    from ablate.cli.config import load_settings
    from ablate.cli.console import err, say_error
    from ablate.errors import BadInput, Interrupted, SpecError

    try:
        load_settings(app)
        app()
    except SpecError as error:
        for problem in error.problems:
            say_error(problem)
        sys.exit(2)
    except BadInput as error:
        say_error(str(error))
        sys.exit(2)
    except Interrupted as stop:
        err.print(f"interrupted: {stop}; the same command continues", soft_wrap=True)
        sys.exit(75)
    except BrokenPipeError:
        # Whoever read the output has seen enough, as in `ablate report … | head`.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except OSError as error:
        if error.filename is None:
            raise
        say_error(f"{error.filename}: {error.strerror}; check the path and its permissions")
        sys.exit(2)
