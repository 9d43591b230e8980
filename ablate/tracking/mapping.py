"""What a run's files become in MLflow, as plain values. Imports no mlflow."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ablate.runs import (
    Event,
    Failure,
    Provenance,
    RecordedRun,
    Result,
    State,
    SweepRecord,
)
from ablate.spec import CnnVariant, Context, RunSpec

# mlflow.utils.validation: longer values are refused or cut. A description is a tag.
_PARAM_CHARACTERS = 6000
TAG_CHARACTERS = 8000
_DIGEST_CHARACTERS = 36

STATUS = {
    State.NEW: "SCHEDULED",
    State.RUNNING: "RUNNING",
    State.INTERRUPTED: "KILLED",
    State.FAILED: "FAILED",
    State.DIVERGED: "FAILED",
    State.DAMAGED: "FAILED",
    State.DONE: "FINISHED",
}


@dataclass(frozen=True)
class Point:
    """One value of a metric.

    Attributes:
        name: The metric's.
        value: A fraction, a loss or a count.
        time_ms: Unix time.
        step: The epoch; 0 for what describes the whole run.
    """

    name: str
    value: float
    time_ms: int
    step: int


def milliseconds(time_s: float) -> int:
    """MLflow's unit of time; equal for equal stored times, so that a replay changes nothing."""
    return round(time_s * 1000)


# Names and descriptions ---------------------------------------------------------------------


def sweep_name(record: SweepRecord) -> str:
    """The name of a sweep's parent run."""
    return f"{record.sweep.name} · {record.context.protocol.label}"


def run_name(
    spec: RunSpec, seeds: Sequence[int], role: str | None = None, splits: Sequence[int] = (0,)
) -> str:
    """The name of a nested run; it has split and seed where the sweep has more than one.

    Args:
        spec: The run.
        seeds: All seeds of the sweep.
        role: What it is in a tuning, such as ``trial 3``.
        splits: The numbers of all splits of the sweep.
    """
    split = f"split {spec.split}" if len(splits) > 1 else None
    has_seed = len(seeds) > 1 and spec.variant.is_trained
    parts = (spec.label, role, split, f"seed {spec.seed}" if has_seed else None)
    return " · ".join(part for part in parts if part)


def sweep_note(context: Context) -> str:
    """The description of a parent run, in Markdown."""
    resnets = [each.label for each in context.resnets.values()]
    shared = _protocol_and_data(context, context.weights.label, *resnets)
    return _paragraphs(_watermark(context), f"{shared}.")


def report_note(report: str, context: Context) -> str:
    """The description of a parent run whose report is made, in Markdown.

    Args:
        report: The short form of the report; it begins with the watermark.
        context: What the runs share; it is left out where there is no room for it.
    """
    shared = _protocol_and_data(context, context.weights.label)
    whole = _paragraphs(report, f"{shared}. Artifacts: the whole report.")
    return whole if len(whole) <= TAG_CHARACTERS else report[:TAG_CHARACTERS]


def run_note(spec: RunSpec, ending: Result | Failure | None) -> str:
    """The description of a nested run, in Markdown."""
    shared = _protocol_and_data(spec.context, spec.weights.label)
    seed = f", split {spec.split}" if spec.split else ""
    seed += f", seed {spec.seed}" if spec.variant.is_trained else ""
    return _paragraphs(
        f"**{spec.label}**: {spec.variant.describe()}.",
        # Second: MLflow folds away what comes after a few lines.
        _watermark(spec.context),
        _ending(ending, spec.context.protocol.selection),
        f"{shared}{seed}.",
    )


def _paragraphs(*parts: str) -> str:
    return "\n\n".join(part for part in parts if part)


def _protocol_and_data(context: Context, *weights: str) -> str:
    data = context.data
    tested = f", {data.test} test" if data.test else ""
    return (
        f"Protocol {context.protocol.label} on {data.label} "
        f"({data.train} training, {data.validation} validation{tested} images), "
        f"{', '.join(weights)}, "
        f"engine {context.engine}"
    )


def _ending(ending: Result | Failure | None, selection: str) -> str:
    if isinstance(ending, Failure):
        return f"**{ending.kind}**: {ending.message}"
    if isinstance(ending, Result):
        counted, machine = ending.parameters, ending.machine
        spent = f"in {ending.train_s:.0f} s on {machine.device_name}, {machine.precision}."
        if not ending.epochs:
            return f"{counted.total:,} parameters, none of them trained; evaluated {spent}"
        return (
            f"Epoch {ending.epoch} of {ending.epochs} selected ({selection}); "
            f"{counted.trainable:,} of {counted.total:,} parameters trained {spent}"
        )
    return ""


def _watermark(context: Context) -> str:
    return f"**{context.watermark}**" if context.watermark else ""


# Params -------------------------------------------------------------------------------------


def params(spec: RunSpec) -> dict[str, str]:
    """The whole spec, flattened to dotted names, with every default filled in.

    ``columns.*`` are what sets the variant apart from others, by the columns of a table.
    """
    variant, context = spec.variant, spec.context
    identity = variant.identity(context.protocol.backbone) | {
        "name": spec.name,
        "label": spec.label,
        "backbone": variant.resnet if isinstance(variant, CnnVariant) else spec.backbone_name,
    }
    columns = {name: cell for name, cell in variant.columns().items() if cell is not None}
    tree = {"variant": identity, "columns": columns, "split": spec.split, "seed": spec.seed}
    flat = dict(_flatten(tree | context.model_dump(mode="json")))
    return {name: value[:_PARAM_CHARACTERS] for name, value in flat.items()}


def tuning_params(role: str | None, setting: Mapping[str, Any]) -> dict[str, str]:
    """What a run is in a tuning, and its setting, by which the user interface can sort and plot."""
    if role is None:
        return {}
    params = {"tuning.role": role.partition(" ")[0]}
    if role.startswith("trial "):
        params["tuning.trial"] = role.removeprefix("trial ")
    return params | {f"tuning.{name}": _text(value) for name, value in setting.items()}


def _flatten(tree: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for name, value in tree.items():
        if isinstance(value, dict):
            yield from _flatten(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", _text(value)


def _text(value: object) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return ",".join(_text(item) for item in value)
    return str(value)


# Tags ---------------------------------------------------------------------------------------


def sweep_tags(record: SweepRecord) -> dict[str, str]:
    """The tags that a parent run is created with; those of a nested run are a superset."""
    tags = {
        "ablate.sweep_id": record.id,
        "ablate.sweep": record.sweep.name,
        "ablate.protocol": record.context.protocol.name,
        "ablate.engine": str(record.context.engine),
    }
    if record.context.watermark is not None:
        tags["ablate.watermark"] = record.context.watermark[:TAG_CHARACTERS]
    return tags


def run_tags(record: SweepRecord, run: RecordedRun, provenance: Provenance) -> dict[str, str]:
    """The tags that a nested run is created with."""
    tags = sweep_tags(record) | {
        "ablate.key": run.key,
        "ablate.variant": run.name,
        "ablate.split": str(run.split),
        "ablate.description": run.variant.describe()[:TAG_CHARACTERS],
        "mlflow.source.name": "ablate",
        "mlflow.source.type": "LOCAL",
    }
    if provenance.commit is not None:
        commit, _, changes = provenance.commit.partition("+")
        tags["mlflow.source.git.commit"] = commit
        tags["mlflow.source.git.dirty"] = str(bool(changes))
    return tags


def state_tags(
    spec: RunSpec, state: State, ending: Result | Failure | None, stamp: str
) -> dict[str, str]:
    """The tags that change with a run's state.

    Args:
        spec: The run.
        state: What its folder shows now.
        ending: Its result or failure, where it has one.
        stamp: Distinguishes one ending from another; empty without an ending.
    """
    tags = {
        "ablate.state": state.value,
        "ablate.artifacts": stamp,
        "mlflow.note.content": run_note(spec, ending)[:TAG_CHARACTERS],
    }
    if isinstance(ending, Result):
        tags["ablate.device"] = ending.machine.device_name
    return tags


# Metrics ------------------------------------------------------------------------------------


def epoch_points(event: Event) -> list[Point]:
    """The metrics of an epoch; their prefix puts the curves above all other charts."""
    time_ms = milliseconds(event.time)
    return [
        Point(f"epoch/{name}", value, time_ms, event.epoch) for name, value in event.metrics.items()
    ]


def final_points(result: Result) -> list[Point]:
    """What the tables are made from, and the counted parameters."""
    values: dict[str, float] = {f"final/{name}": value for name, value in result.metrics.items()}
    if result.test is not None:
        values |= {f"test/{name}": value for name, value in result.test.metrics.items()}
    counted = result.parameters
    values |= {
        "parameters/total": counted.total,
        "parameters/trainable": counted.trainable,
        "parameters/adapter": counted.adapter,
    }
    # Step 0: MLflow draws metrics with no later step as bars, side by side.
    time_ms = milliseconds(result.finished)
    return [Point(name, value, time_ms, 0) for name, value in values.items()]


# The model ----------------------------------------------------------------------------------

# mlflow.utils.validation: a model's name must not have them.
_NOT_IN_A_NAME = re.compile(r"[/:.%\"']")
_NAME_CHARACTERS = 250


@dataclass(frozen=True)
class ModelCard:
    """What MLflow shows of a run's model.

    Attributes:
        name: The row's label; seeds and splits are told apart by the params.
        params: Its params.
        tags: Its tags.
    """

    name: str
    params: dict[str, str]
    tags: dict[str, str]


def model_card(spec: RunSpec, key: str, result: Result) -> ModelCard:
    """The model that a run has made."""
    columns = {name: cell for name, cell in spec.variant.columns().items() if cell is not None}
    own = {
        "variant": spec.name,
        "seed": str(spec.seed),
        "split": str(spec.split),
        "epoch": str(result.epoch),
        "trained_parameters": str(result.parameters.trainable),
    }
    shown = {f"columns.{name}": _text(cell)[:_PARAM_CHARACTERS] for name, cell in columns.items()}
    tags = {
        "ablate.key": key,
        "ablate.protocol": spec.context.protocol.name,
        "ablate.weights_sha256": result.weights_sha256,
    }
    if spec.context.watermark is not None:
        tags["ablate.watermark"] = spec.context.watermark[:TAG_CHARACTERS]
    return ModelCard(
        name=_NOT_IN_A_NAME.sub("-", spec.label)[:_NAME_CHARACTERS] or spec.name,
        params=own | shown,
        tags=tags,
    )


# The data set -------------------------------------------------------------------------------


@dataclass(frozen=True)
class DataInput:
    """The fields of an MLflow data set."""

    name: str
    digest: str
    source: str
    profile: str


def data_input(context: Context) -> DataInput:
    """The data set that a run is trained on."""
    data = context.data
    return DataInput(
        name=data.label,
        digest=data.digest[:_DIGEST_CHARACTERS],
        source=json.dumps(context.protocol.data.model_dump(mode="json")),
        profile=json.dumps(
            {"train": data.train, "validation": data.validation}
            | ({"test": data.test} if data.test else {})
        ),
    )
