"""Small stores that older engines wrote, which every later version of ablate reads.

``python tests/fixture_stores.py STORE TARGET``, with the engine that wrote STORE, makes one.
"""

import json
import shutil
import sys
from pathlib import Path
from typing import Any

from ablate.runs import Store

FOLDER = Path(__file__).parent / "fixtures"
FOLDERS = sorted(
    FOLDER.glob("store-engine-*"), key=lambda folder: int(folder.name.rpartition("-")[2])
)
EXPECTED = "expected.json"

# No weights, images and logs: they are large. No sources: they are paths of one machine.
_OF_A_RUN = ("spec.json", "events.jsonl", "result.json", "failure.json", "confusion.parquet")


def copy_of(folder: Path, parent: Path) -> Store:
    """A fixture store that a test may write to."""
    return Store(shutil.copytree(folder, parent / folder.name))


def summary(store: Store) -> dict[str, Any]:
    """What the files of a store say, by today's names: the sweeps, and every run by its key."""
    return {
        "sweeps": {
            record.sweep.name: {
                "protocol": record.context.protocol.label,
                "engine": record.context.engine,
                "seeds": list(record.seeds),
                "runs": [[run.name, run.seed, run.key] for run in record.current_runs()],
            }
            for record in sorted(store.sweep_records(), key=lambda record: record.id)
        },
        "runs": {folder.key: _run_summary(store, folder.key) for folder in store.runs()},
    }


def _run_summary(store: Store, key: str) -> dict[str, Any]:
    folder = store.run(key)
    spec, result, failure = folder.spec_file(), folder.result(), folder.failure()
    return {
        "system": spec.run.variant.system,
        "state": folder.state().value,
        "created": spec.provenance.created,
        "metrics": result.metrics if result else None,
        "confusion": result.confusion if result else None,
        "failure": failure.message if failure else None,
        "epochs": [event.metrics for event in folder.events()],
    }


def _trim(source: Path, target: Path) -> None:
    shutil.copytree(source / "sweeps", target / "sweeps", ignore=shutil.ignore_patterns(".*"))
    for folder in Store(source).runs():
        run = target / "runs" / folder.key
        run.mkdir(parents=True)
        for name in _OF_A_RUN:
            if (folder.path / name).exists():
                shutil.copy(folder.path / name, run / name)
    text = json.dumps(summary(Store(target)), indent=1)
    (target / EXPECTED).write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    _trim(Path(sys.argv[1]), Path(sys.argv[2]))
