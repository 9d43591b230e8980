"""Reading the mirror back through MLflow's own client."""

from collections.abc import Mapping
from typing import Any

from ablate.runs import Store
from ablate.tracking import tracking_uri


def client_of(store: Store) -> Any:
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri=tracking_uri(store, None))


def all_runs(store: Store) -> list[Any]:
    client = client_of(store)
    experiment = client.get_experiment_by_name("ablate")
    return list(client.search_runs([experiment.experiment_id]))


def parents(store: Store) -> list[Any]:
    return [run for run in all_runs(store) if "ablate.key" not in run.data.tags]


def nested(store: Store) -> Mapping[str, Any]:
    """The nested runs by key; no key may be there twice."""
    runs = [run for run in all_runs(store) if "ablate.key" in run.data.tags]
    by_key = {run.data.tags["ablate.key"]: run for run in runs}
    assert len(by_key) == len(runs)
    return by_key


def histories(store: Store) -> dict[tuple[str, str], list[tuple[int, int, float]]]:
    """Every metric of every run, as (step, time in ms, value)."""
    client = client_of(store)
    return {
        (run.info.run_name, name): sorted(
            (m.step, m.timestamp, m.value) for m in client.get_metric_history(run.info.run_id, name)
        )
        for run in all_runs(store)
        for name in run.data.metrics
    }
