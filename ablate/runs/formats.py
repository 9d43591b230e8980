"""The files of a store as pydantic models; metrics are fractions (0..1), times Unix seconds."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Literal

from pydantic import ConfigDict, Field

from ablate.runs.cells import PixelCount
from ablate.spec import (
    Context,
    DataIdentity,
    Frozen,
    Precision,
    Repeat,
    RunSpec,
    Split,
    Sweep,
    Variant,
)

# Raised by one whenever a file changes its form; ``upgrade`` then gets a step.
SCHEMA_VERSION = 2


class State(StrEnum):
    """The state of a run, as its folder shows it."""

    NEW = "new"
    RUNNING = "running"
    INTERRUPTED = "interrupted"
    FAILED = "failed"
    DIVERGED = "diverged"
    DAMAGED = "damaged"
    DONE = "done"


class Document(Frozen):
    """Base of every JSON file of a store, and of every line of ``events.jsonl``.

    No number is infinite or NaN: ablate writes none, and what another wrote is not shown.

    Attributes:
        schema_version: The form that it is written in; see ``SCHEMA_VERSION``.
    """

    model_config = ConfigDict(allow_inf_nan=False)

    schema_version: Literal[2] = 2


class Provenance(Frozen):
    """Where a run comes from; not part of its key.

    Attributes:
        created: When the folder was created.
        ablate: Version of ablate.
        commit: Git commit of the code, with ``+changes`` where the tree was dirty; None outside
            a checkout.
        python: Version of Python.
        packages: Versions of the packages that numbers depend on.
    """

    model_config = ConfigDict(allow_inf_nan=False)

    created: float
    ablate: str
    commit: str | None
    python: str
    packages: dict[str, str]


class SpecFile(Document):
    """``spec.json``: what a run is; immutable."""

    key: str
    run: RunSpec
    provenance: Provenance


class Event(Document):
    """A line of ``events.jsonl``: the end of an epoch.

    Attributes:
        epoch: Counted from 1.
        step: Optimiser steps since the start of the run.
        time: When it happened.
        metrics: By name; among them train_loss, val_loss, lr and the validation scores.
    """

    epoch: int
    step: int
    time: float
    metrics: dict[str, float]


class Progress(Document):
    """``progress.json``: how far a run is right now; for displays only."""

    epoch: int
    epochs: int
    step_in_epoch: int
    steps_per_epoch: int
    loss: float | None
    time: float


class Parameters(Frozen):
    """Parameters of a built model, counted.

    Attributes:
        total: Image encoder, mask decoder and adapters (the paper's Table III).
        trainable: Those that the optimiser moves.
        adapter: Those of the adapters.
        sites: Number of adapters.
    """

    total: int
    trainable: int
    adapter: int
    sites: int


class Machine(Frozen):
    """What a run was computed on.

    Attributes:
        device: For example ``cpu`` or ``cuda:0``.
        device_name: The processor's or the accelerator's own name.
        threads: Threads of one torch operation.
        precision: What was really used.
        torch: Version of torch.
    """

    device: str
    device_name: str
    threads: int
    precision: Precision
    torch: str


class PartScores(Frozen):
    """What a run's model gives on the test part, which neither training nor selection sees.

    Attributes:
        images: How many images the part has.
        metrics: Scores, by name.
        confusion: Pooled pixels: tp, fp, fn, tn, and what the task counts besides.
    """

    model_config = ConfigDict(allow_inf_nan=False)

    images: int
    metrics: dict[str, float]
    confusion: dict[PixelCount, int]


class MicroBatch(Frozen):
    """From some step on, memory allowed only a part of a batch's images to be computed at once.

    The batch stays what the protocol says: its loss is that of all its images together, and the
    optimiser steps once for each batch.

    Attributes:
        purpose: What was computed so.
        images: How many at once at most.
        batch: How many images the batch had that did not fit.
        after_steps: Optimiser steps of the run before that.
    """

    purpose: Literal["training", "evaluation"]
    images: int = Field(ge=1)
    batch: int = Field(ge=2)
    after_steps: int = Field(ge=0)


class Result(Document):
    """``result.json``: its existence is the only meaning of "done".

    Attributes:
        key: The run's key.
        epoch: The selected epoch, counted from 1.
        epochs: How many were trained.
        steps: Optimiser steps of the whole run.
        metrics: Validation scores of the selected epoch, by name, and val_loss.
        confusion: Pooled validation pixels: tp, fp, fn, tn, and what the task counts besides.
        test: Of the selected epoch on the test part; None where the split has none.
        micro_batches: Where memory was too short for a whole batch at once, in the order of
            steps; the newest entry of a purpose holds until the end.
        parameters: Counted on the trained model.
        weights_sha256: Of ``weights.safetensors``.
        machine: What it was computed on.
        finished: When it was published.
        train_s: Seconds spent in training and validation, over all resumptions.
        files: SHA-256 of the files beside it, by name; empty in results of older versions, which
            knew only the weights'.
        sha256: Of all the above in canonical JSON; None in results of older versions.
    """

    key: str
    epoch: int
    epochs: int
    steps: int
    metrics: dict[str, float]
    confusion: dict[PixelCount, int]
    parameters: Parameters
    weights_sha256: str
    machine: Machine
    finished: float
    train_s: float
    test: PartScores | None = None
    micro_batches: tuple[MicroBatch, ...] = ()
    files: dict[str, str] = Field(default_factory=dict)
    sha256: str | None = None


class Failure(Document):
    """``failure.json``: why a run could not go on.

    Attributes:
        kind: ``diverged``: the loss is not finite; ``error``: an exception; ``died``: the
            worker's process ended without a result or an error; ``out-of-memory``: not even one
            image at a time fits into the memory, or memory was short where fewer would not help.
        message: One line.
        detail: The traceback, or empty.
        time: When it was written.
    """

    kind: Literal["error", "diverged", "died", "out-of-memory"]
    message: str
    detail: str
    time: float


class RecordedRun(Frozen):
    """A run of a recorded sweep.

    Attributes:
        key: The name of its folder; computed by the engine that the record names.
        name: The variant's name.
        variant: The variant as it was when the sweep was started.
        seed: The seed.
        split: The number of the split; 0 is the protocol's own.
    """

    key: str = Field(pattern=r"^[0-9a-f]{16}$")
    name: str
    variant: Variant
    seed: int
    split: int = 0

    @property
    def repeat(self) -> Repeat:
        """What it is paired by with runs of other rows."""
        return Repeat(self.split, self.seed)

    @property
    def label(self) -> str:
        """The name that tables print."""
        return self.variant.label or self.name


class MatchedRow(Frozen):
    """The value that was found for the field of a row's ``match``.

    Attributes:
        target: The variant whose adapter's number of parameters was to be reached.
        field: The dotted path of the field.
        value: The value with which the row comes nearest.
        wanted: Parameters of the target's adapter.
        reached: Parameters of the row's adapter.
        declaration: A digest of what the row and the target were declared to be.
    """

    target: str
    field: str
    value: int
    wanted: int
    reached: int
    declaration: str

    @property
    def difference_percent(self) -> float:
        """By how much more, or fewer, parameters the row has than the target."""
        return 100 * (self.reached / self.wanted - 1)

    @property
    def sentence(self) -> str:
        """What was found, in one line."""
        return (
            f"{self.field} {self.value} gives {self.reached:,} parameters in adapters, nearest to "
            f"the {self.wanted:,} of {self.target} ({self.difference_percent:+z.1f} %)"
        )


class NumberedSplit(Frozen):
    """A split of a sweep besides the protocol's own.

    Attributes:
        number: Its number, from 1.
        split: The split.
        data: The data's part in the identity of the runs on it.
    """

    number: int = Field(ge=1)
    split: Split
    data: DataIdentity


class SweepRecord(Document):
    """``sweeps/ID.json``: a sweep was started in this store under this context.

    Attributes:
        sweep: The sweep as it was when it was last started.
        context: Protocol, data and weights of all its runs, and the engine's version; with the
            protocol's own split.
        runs: All runs that were ever planned, in the order of the table; where a row and a repeat
            have several, because the row has changed between two starts, the latest comes last.
        seeds: All seeds that were ever planned, sorted.
        splits: The numbers of all splits that were ever planned, sorted.
        numbered: What these splits are, but for the protocol's own.
        updated: When it was last started.
        matched: The rows that got a value by their ``match``, by name.
    """

    sweep: Sweep
    context: Context
    runs: tuple[RecordedRun, ...]
    seeds: tuple[int, ...]
    updated: float
    matched: dict[str, MatchedRow] = Field(default_factory=dict)
    splits: tuple[int, ...] = (0,)
    numbered: tuple[NumberedSplit, ...] = ()

    @property
    def repeats(self) -> tuple[Repeat, ...]:
        """What every trained row is planned to have a run of."""
        return tuple(Repeat(split, seed) for split in self.splits for seed in self.seeds)

    @property
    def id(self) -> str:
        """The name that tells this record from all others of its store."""
        return f"{self.sweep.name}-{self.context.id}"

    def context_of(self, split: int) -> Context:
        """What all runs on a split share."""
        for each in self.numbered:
            if each.number == split:
                protocol = self.context.protocol.model_copy(update={"split": each.split})
                return self.context.model_copy(update={"protocol": protocol, "data": each.data})
        return self.context

    def run_spec(self, run: RecordedRun) -> RunSpec:
        """One of its runs, in full.

        The spec's own key is ``run.key`` for runs of the present engine only.
        """
        return RunSpec(
            name=run.name,
            variant=run.variant,
            context=self.context_of(run.split),
            seed=run.seed,
            split=run.split,
        )

    def current_runs(self) -> list[RecordedRun]:
        """The latest run of each row and repeat, in the order of the table."""
        return list({(run.name, run.repeat): run for run in self.runs}.values())


class Source(Document):
    """``sources/DIGEST.json``: where data or weights of this digest were seen.

    Attributes:
        path: Where they were seen last, by any host.
        relative: The same, from the store's folder; None: an older ablate has noted it.
        hosts: Where each host has seen them last, by the host's name.
    """

    path: str
    relative: str | None = None
    hosts: Mapping[str, str] = Field(default_factory=dict)
