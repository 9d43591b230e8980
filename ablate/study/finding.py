"""Which run is meant by what a user types."""

import difflib
import re

from ablate.errors import BadInput
from ablate.runs import RecordedRun, RunFolder, Store, shown

# So many are listed in a message.
_MOST_LISTED = 5
_KEY_PREFIX = re.compile("[0-9a-f]{1,16}")


def find_run(store: Store, text: str) -> RunFolder:
    """The run of this key.

    Args:
        store: Where it lies.
        text: The key, its first digits, or the name of a row that has one run in the store.

    Raises:
        BadInput: If there is none, or several.
    """
    recorded = _recorded_runs(store)
    keys = sorted({folder.key for folder in store.runs()} | recorded.keys())
    found = [key for key in keys if key.startswith(text)] if _KEY_PREFIX.fullmatch(text) else []
    if not found:
        found = [key for key, run in recorded.items() if run.name == text]
    if len(found) == 1:
        return store.run(found[0])
    if not found:
        names = {run.name for run in recorded.values()}
        near = difflib.get_close_matches(text, [*sorted(names), *keys], 1)
        repair = f"did you mean {near[0]!r}?" if near else "`ablate status` lists the keys"
        raise BadInput(f"no run is called '{shown(text)}' in {store.root}", repair)
    listed = [_described(key, recorded.get(key)) for key in found[:_MOST_LISTED]]
    more = f" and {len(found) - len(listed)} more" if len(found) > len(listed) else ""
    raise BadInput(
        f"'{shown(text)}' may be any of {len(found)} runs: {', '.join(listed)}{more}",
        "give the key of one",
    )


def _recorded_runs(store: Store) -> dict[str, RecordedRun]:
    """What sweeps and tunings name, by key; a record that cannot be read names nothing."""
    runs: dict[str, RecordedRun] = {}
    for tuning in store.tunings([]):
        runs |= {trial.run.key: trial.run for trial in tuning.trials}
        runs |= {run.key: run for row in tuning.tuned for run in row.runs}
    for record in store.sweep_records(problems=[]):
        runs |= {run.key: run for run in record.runs}
    return runs


def _described(key: str, run: RecordedRun | None) -> str:
    if run is None:
        return key
    split = f" split {run.split}" if run.split else ""
    return f"{key} ({run.name}{split} seed {run.seed})"
