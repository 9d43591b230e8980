"""Executors by name."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ablate.errors import BadInput
from ablate.executors.base import Choose, Executor, import_object
from ablate.executors.waiting import wait_for_all
from ablate.plan import Cohort
from ablate.spec import Frozen

# Import paths, so that only the executor that is used is loaded.
EXECUTORS: dict[str, str] = {
    "inline": "ablate.executors.inline:InlineExecutor",
    "local": "ablate.executors.local:LocalExecutor",
    "ray": "ablate.executors.ray:RayExecutor",
    "slurm": "ablate.executors.slurm:SlurmExecutor",
}


def executor_settings(name: str, values: Mapping[str, Any]) -> Frozen:
    """The settings of an executor.

    Args:
        name: The executor's.
        values: What ``[executor.NAME]`` in ``ablate.toml`` holds.

    Raises:
        BadInput: If there is no such executor, or a value breaks its settings' rules.
    """
    model: type[Frozen] = _executor_class(name).settings_model
    try:
        # By way of JSON, whose lists become tuples.
        return model.model_validate_json(json.dumps(dict(values), default=str))
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors()
        )
        keys = ", ".join(model.model_fields) or "none"
        raise BadInput(f"[executor.{name}] {problems}", f"its keys are: {keys}") from error


def devices_in_use(
    name: str,
    settings: Mapping[str, Any],
    named: Sequence[str],
    choose: Choose,
) -> tuple[str, ...]:
    """Where an executor works, one for each cohort at a time; see ``Executor.devices``.

    Raises:
        BadInput: If there is no such executor, or a device cannot be used.
    """
    executor: type[Executor] = _executor_class(name)
    return tuple(executor.devices(executor_settings(name, settings), named, choose))


def run_cohorts(
    name: str,
    cohorts: Sequence[Cohort],
    *,
    devices: Sequence[str],
    logs: Path,
    settings: Mapping[str, Any] = {},
    work: str = "ablate.train:work",
    should_stop: Callable[[], bool] = lambda: False,
) -> None:
    """Works on all cohorts with one executor, and waits until all of them have ended.

    Args:
        name: The executor's.
        cohorts: The runs, in the order in which workers take them.
        devices: One for each worker, such as ``["cuda:0", "cuda:1"]``.
        logs: Folder for what workers print.
        settings: See ``executor_settings``.
        work: Import path of a function that takes a cohort's folders and a device.
        should_stop: See ``wait_for_all``.

    Raises:
        BadInput: If there is no such executor, its settings are wrong, or it cannot start.
        Interrupted: If a stop was requested; the state of every run is saved.
    """
    executor: Executor = _executor_class(name)(
        executor_settings(name, settings), work=work, devices=devices, logs=logs
    )
    try:
        wait_for_all(executor, cohorts, should_stop)
    finally:
        executor.close()


def _executor_class(name: str) -> Any:
    """The class of that name.

    Raises:
        BadInput: If there is none, or its package is not installed.
    """
    if name not in EXECUTORS:
        raise BadInput(f"there is no executor {name!r}", f"there are {', '.join(EXECUTORS)}")
    try:
        return import_object(EXECUTORS[name])
    except ImportError as error:
        raise BadInput(
            f"executor {name} cannot be loaded: {error}", "install what it needs"
        ) from error
