"""Executors by name."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ablate.errors import BadInput
from ablate.executors.attaching import grouped_as_left
from ablate.executors.base import (
    Choose,
    ClusterExecutor,
    Executor,
    LeftJob,
    import_object,
)
from ablate.executors.waiting import Tell, submit_and_leave, wait_for_all
from ablate.plan import Cohort
from ablate.spec import Frozen

# Import paths, so that only the executor that is used is loaded.
EXECUTORS: dict[str, str] = {
    "inline": "ablate.executors.inline:InlineExecutor",
    "local": "ablate.executors.local:LocalExecutor",
    "ray": "ablate.executors.ray:RayExecutor",
    "slurm": "ablate.executors.slurm:SlurmExecutor",
}


# How long a cluster may take to say what it works on.
_PATIENCE_S = 60.0


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


def jobs_go_on(name: str, settings: Mapping[str, Any]) -> bool:
    """Whether an executor's jobs go on when the process ends that has submitted them.

    Raises:
        BadInput: If there is no such executor, or its settings are wrong.
    """
    executor = _executor_class(name)
    values = executor_settings(name, settings)
    return issubclass(executor, ClusterExecutor) and executor.jobs_go_on(values)


def check_can_detach(name: str, settings: Mapping[str, Any]) -> None:
    """Refuses to leave jobs to themselves that end with the process.

    Raises:
        BadInput: If the executor's do, there is none of that name, or its settings are wrong.
    """
    if not jobs_go_on(name, settings):
        raise BadInput(
            f"--detach: what --executor {name} trains ends with the command",
            "choose a cluster's executor (docs/scale.md), or start the command with nohup",
        )


def left_jobs(
    name: str, settings: Mapping[str, Any], runs: Path, timeout_s: float
) -> Sequence[LeftJob]:
    """The jobs of an executor that are in its cluster; see ``ClusterExecutor.left_jobs``.

    Raises:
        BadInput: If there is no such executor, its settings are wrong, or the cluster does not
            answer.
    """
    values = executor_settings(name, settings)
    if not jobs_go_on(name, settings):
        return ()
    executor: type[ClusterExecutor] = _executor_class(name)
    return executor.left_jobs(values, runs, timeout_s)


def run_cohorts(
    name: str,
    cohorts: Sequence[Cohort],
    *,
    devices: Sequence[str],
    logs: Path,
    settings: Mapping[str, Any] = {},
    work: str = "ablate.train:work",
    should_stop: Callable[[], bool] = lambda: False,
    running: Sequence[Path] = (),
    detach: bool = False,
    tell: Tell = lambda notice: None,
) -> None:
    """Works on all cohorts with one executor, and waits until all of them have ended.

    What a job of an earlier start works on in a cluster stays together, and with that job.

    Args:
        name: The executor's.
        cohorts: The runs, in the order in which workers take them.
        devices: One for each worker, such as ``["cuda:0", "cuda:1"]``.
        logs: Folder for what workers print.
        settings: See ``executor_settings``.
        work: Import path of a function that takes a cohort's folders and a device.
        should_stop: See ``wait_for_all``.
        running: Folders of runs that some process works on: what a job of an earlier start has of
            them is waited for, and stopped with the others.
        detach: Whether only to submit them, and to leave them to the cluster.
        tell: See ``wait_for_all``.

    Raises:
        BadInput: If there is no such executor, its settings are wrong, or it cannot start; if a
            cluster refuses a job, or can never start it: nothing is left in its queue.
        Interrupted: If a stop was requested; the state of every run is saved.
    """
    if detach:
        check_can_detach(name, settings)
    folders = [*(path for cohort in cohorts for path in cohort.folders), *running]
    if folders and jobs_go_on(name, settings):
        left = left_jobs(name, settings, folders[0].absolute().parent, _PATIENCE_S)
        cohorts = grouped_as_left(cohorts, left, running)
    if not cohorts:
        return
    executor: Executor = _executor_class(name)(
        executor_settings(name, settings), work=work, devices=devices, logs=logs
    )
    try:
        if detach:
            submit_and_leave(executor, cohorts)
            return
        wait_for_all(executor, cohorts, should_stop, tell)
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
