"""``python -m tests.chaos --seed N --kills K``: from the project's folder; needs no test runner."""

import argparse
import json
import sys
import tempfile
from pathlib import Path

from .comparison import outcome
from .kills import torment
from .session import complete


def main() -> int:
    """Prints the figures; 1 if anything was lost, repeated, changed or left."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--seed", type=int, default=0, help="decides the instants")
    parser.add_argument("--kills", type=int, default=50, help="how many; a kill takes some 8 s")
    parser.add_argument("--store", type=Path, help="an empty folder for the stores, which are kept")
    parser.add_argument("--json", type=Path, help="where the figures are written to as JSON")
    words = parser.parse_args()
    if words.store is not None:
        words.store.mkdir(parents=True, exist_ok=True)
        if any(words.store.iterdir()):
            parser.error(f"{words.store} is not empty")
    with tempfile.TemporaryDirectory(prefix="chaos-") as temporary:
        folder = (words.store or Path(temporary)).resolve()
        complete(folder / "undisturbed")
        undisturbed = outcome(folder / "undisturbed" / "store")
        figures = torment(folder, undisturbed, seed=words.seed, kills=words.kills, say=_say)
    _say(figures.text())
    text = json.dumps(figures.values(), indent=2)
    _say(text)
    if words.json is not None:
        words.json.write_text(text + "\n")
    return 0 if figures.is_clean else 1


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
