"""What of two stores must be the same: everything but times, costs and process numbers."""

import hashlib
import json
import os
import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

from ablate.report import WRITERS, Report
from ablate.runs import Store
from ablate.study import latest_start, report_sweep

# Of ``result.json``: times, and the digests of files that have times in them.
_TIMED = ("finished", "train_s", "sha256")
_TIMED_FILES = ("spec.json", "events.jsonl")


def outcome(root: Path) -> dict[str, object]:
    """All that must be the same, each under a name that a test can print."""
    return {**_runs(root), **_reports(root), **mlflow_runs(root)}


def differences(root: Path, undisturbed: dict[str, object]) -> list[str]:
    """The names of what differs from the undisturbed sweep."""
    own = outcome(root)
    names = sorted({*own, *undisturbed})
    return [name for name in names if own.get(name) != undisturbed.get(name)]


def _runs(root: Path) -> dict[str, object]:
    """The files of every run: their digests, or their content without times."""
    found: dict[str, object] = {}
    for path in sorted(root.glob("runs/*/**/*")):
        name = str(path.relative_to(root))
        if path.name == "result.json":
            found[name] = _untimed_result(json.loads(path.read_bytes()))
        elif path.name == "events.jsonl":
            events = [json.loads(line) for line in path.read_bytes().splitlines()]
            found[name] = [{**event, "time": None} for event in events]
        elif path.name == "spec.json":
            found[name] = json.loads(path.read_bytes())["run"]
        elif path.is_file() and path.parent.name != "attempts" and path.suffix != ".lock":
            found[name] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


def _untimed_result(result: dict[str, Any]) -> dict[str, Any]:
    files = {name: digest for name, digest in result["files"].items() if name not in _TIMED_FILES}
    kept = {name: value for name, value in result.items() if name not in _TIMED}
    return kept | {"files": files}


def _reports(root: Path) -> dict[str, object]:
    """The report in every format, byte for byte, without the costs and with all times 0."""
    store = Store(root)
    made = report_sweep(latest_start(store, "table4")[0], store)
    timeless = type(made)(_timeless(made.report), made.record, made.store)
    return {f"report as {name}": timeless.render(name) for name in WRITERS}


def _timeless(report: Report) -> Report:
    zero = {"created": 0.0, "finished": 0.0, "train_s": 0.0}
    runs = tuple(run.model_copy(update=zero) for run in report.provenance.runs)
    provenance = report.provenance.model_copy(update={"runs": runs})
    return report.model_copy(update={"costs": None, "provenance": provenance})


# The mirror ------------------------------------------------------------------------------------


def mlflow_runs(root: Path) -> dict[str, object]:
    """What MLflow's database holds of each run, by the run's key; empty without one."""
    path = root / "mlflow" / "mlflow.db"
    if not path.exists():
        return {}
    found: dict[str, object] = {}
    with closing(sqlite3.connect(path)) as database:
        query = "SELECT run_uuid, status FROM runs WHERE lifecycle_stage = 'active'"
        for run, status in database.execute(query).fetchall():
            (key,) = _column(database, "tags", "value", run, "AND key = 'ablate.key'") or ("sweep",)
            name = f"MLflow's run of {key}"
            while name in found:
                name += ", again"
            found[name] = {
                "status": status,
                "params": sorted(_column(database, "params", "key || '=' || value", run)),
                # How many runs were done when is not the same after a kill.
                "metrics": _metrics(database, run) if key != "sweep" else None,
                "models": len(_column(database, "logged_models", "name", run, source="source_")),
            }
    return found


def repeated_steps(root: Path) -> int:
    """How many points of the metrics of runs MLflow was told more than once."""
    found = mlflow_runs(root)
    counts = [run["metrics"] for run in found.values() if isinstance(run, dict) and run["metrics"]]
    return sum(count - 1 for points in counts for count in points.values())


def _metrics(database: sqlite3.Connection, run: str) -> Counter[tuple[str, int]]:
    """How often each metric has a value at each step; one that is told twice counts twice."""
    query = "SELECT key, step FROM metrics WHERE run_uuid = ?"
    return Counter(database.execute(query, (run,)).fetchall())


def _column(
    database: sqlite3.Connection, table: str, value: str, run: str, more: str = "", source: str = ""
) -> list[str]:
    query = f"SELECT {value} FROM {table} WHERE {source}run_{'id' if source else 'uuid'} = ? {more}"
    return [row[0] for row in database.execute(query, (run,))]


# What is left ----------------------------------------------------------------------------------


def leftovers(root: Path) -> list[str]:
    """Files in a finished store that only sweeps at work have."""
    patterns = (
        "*.tmp",
        "*.partial",
        "*.new",
        "*-journal",
        "progress.json",
        "checkpoint-*",
        "claim",
        ".claim-*",
    )
    found = {path for pattern in patterns for path in root.rglob(pattern)}
    found |= set(root.glob("runs/*/failure.json"))
    return sorted(str(path.relative_to(root)) for path in found)


def shared_memory() -> set[str]:
    """What lies in the machine's shared memory and is this user's."""
    return {path.name for path in Path("/dev/shm").iterdir() if _is_own(path)}


def _is_own(path: Path) -> bool:
    try:
        return path.stat().st_uid == os.getuid()
    except FileNotFoundError:
        return False


def trained(root: Path) -> dict[str, int]:
    """Of each run, how many attempts have ended with a result: none may have two."""
    store = Store(root)
    return {
        folder.key: sum(attempt.ending == "done" for attempt in folder.attempts())
        for folder in store.runs()
    }
