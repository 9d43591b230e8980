"""``python -m ablate``."""

import sys

if not sys.flags.safe_path:
    # Python puts the working folder first. A module there, such as a user's random.py, must not
    # take the place of one that ablate needs.
    del sys.path[0]

from ablate.cli import main

if __name__ == "__main__":
    main()
