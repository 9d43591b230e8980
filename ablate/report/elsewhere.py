"""Trained rows on data sets that they were not trained on."""

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from ablate.errors import StoreError
from ablate.metrics import Confusion, scores
from ablate.report.elsewhere_model import Elsewhere, OtherData
from ablate.report.held_out import scores_on
from ablate.report.notes import short_memory
from ablate.report.recomputed import contradictions
from ablate.report.results import RunRecord, cause_of
from ablate.report.rows import RowRuns
from ablate.runs import Evaluation, PartScores, Store, evaluation_key
from ablate.spec import Context, MetricName, Sweep, Task


@dataclass(frozen=True)
class EvaluatedSet:
    """A data set, and where the evaluations on it lie.

    Attributes:
        label: What tables call it.
        digest: Of its images.
        keys: The evaluation of each run, by the run's key.
    """

    label: str
    digest: str
    keys: Mapping[str, str]


def elsewhere_of(
    rows: Mapping[str, RowRuns],
    data: Sequence[EvaluatedSet],
    store: Store,
    *,
    title: str,
    context: Context,
    sweep: Sweep | None,
    metrics: Mapping[MetricName, str],
    notes: Sequence[str] = (),
) -> Elsewhere:
    """Sets rows on other data sets beside each other, by the statistics of the test part.

    Args:
        rows: By name, with their runs on the validation images.
        data: The data sets.
        store: Where the evaluations lie.
        title: The sweep's title, or the run that is meant.
        context: What the rows share.
        sweep: With the baseline and the claims; None: there is none.
        metrics: The metrics that are shown, with their headings.
        notes: What a reader should know.
    """
    baseline = sweep.baseline if sweep and sweep.baseline in rows else None
    found, said, task = [], [*notes], context.protocol.task
    for each in data:
        read = _Evaluations(each, store)
        scored = scores_on({name: read.row(row) for name, row in rows.items()}, sweep, task)
        found.append(OtherData(label=each.label, digest=each.digest, scores=scored))
        said += read.notes(scored.images)
    return Elsewhere(
        title=title,
        watermark=context.watermark,
        baseline=baseline,
        metrics=dict(metrics),
        own_label=context.data.label,
        own=scores_on(rows, sweep, task),
        data=tuple(found),
        notes=tuple(said),
    )


def kept_elsewhere(
    rows: Mapping[str, RowRuns],
    store: Store,
    *,
    context: Context,
    sweep: Sweep,
    metrics: Mapping[MetricName, str],
) -> Elsewhere | None:
    """What a store keeps of rows on other data, for a report.

    Args:
        rows: By name, with their runs on the validation images.
        store: Where the evaluations lie.
        context: What the rows share.
        sweep: With the baseline and the claims.
        metrics: The metrics that are shown, with their headings.

    Returns:
        The rows that were scored on any; None where no run was.
    """
    sets: dict[str, EvaluatedSet] = {}
    trained = {name: row for name, row in rows.items() if row.is_trained}
    for row in trained.values():
        for run in row.runs:
            for found in _kept(run, store, context.protocol.task) if run.finished else ():
                digest = found.data.digest
                own = sets.setdefault(digest, EvaluatedSet(found.data.label, digest, {}))
                sets[digest] = replace(own, keys={**own.keys, run.run.key: found.key})
    if not sets:
        return None
    ordered = sorted(sets.values(), key=lambda each: (each.label, each.digest))
    labels = [each.label for each in ordered]
    named = [each if labels.count(each.label) == 1 else _told_apart(each) for each in ordered]
    keys = {key for each in ordered for key in each.keys}
    scored = {
        name: row for name, row in trained.items() if any(run.run.key in keys for run in row.runs)
    }
    return elsewhere_of(
        scored, named, store, title="", context=context, sweep=sweep, metrics=metrics
    )


def _told_apart(data: EvaluatedSet) -> EvaluatedSet:
    return replace(data, label=f"{data.label} {data.digest[:6]}")


def _kept(run: RunRecord, store: Store, task: Task) -> list[Evaluation]:
    """The evaluations of a run's present weights; `verify` names those that cannot be read."""
    evaluations, found = store.run(run.run.key).evaluations, []
    weights = run.finished.result.weights_sha256 if run.finished else ""
    with suppress(StoreError):
        for key in evaluations.names():
            with suppress(StoreError):
                each = evaluations.read(key)
                digest = each.data.digest if each else ""
                if each and key == evaluation_key(run.run.key, weights, digest, task.counting()):
                    found.append(each)
    return found


def contradictions_of(evaluation: Evaluation) -> list[str]:
    """What an evaluation says otherwise than its own pixels."""
    images, confusion = len(evaluation.names), evaluation.confusion
    missing = scores(Confusion(**confusion)).keys() - evaluation.metrics.keys()
    said = PartScores(images=images, metrics=evaluation.metrics, confusion=confusion)
    return [
        *(f"{name} is missing" for name in sorted(missing)),
        *contradictions(said, evaluation.confusions, "its own counts"),
    ]


class _Evaluations:
    """The evaluations of one data set, read one by one.

    Args:
        data: The data set.
        store: Where they lie.
    """

    def __init__(self, data: EvaluatedSet, store: Store) -> None:
        self._data, self._store = data, store
        self._trained: list[int | None] = []
        # How many evaluations were computed with fewer images at once, in words.
        self._deviations: Counter[str] = Counter()

    def row(self, row: RowRuns) -> RowRuns:
        """The row with its scores and pixels here in place of the validation part's."""
        return replace(row, printed=None, runs=tuple(map(self._run, row.runs)))

    def notes(self, images: int) -> list[str]:
        """Whether rows were trained on images of this data set, and where memory was short."""
        of_all = len(self._trained)
        return [
            *self._trained_images(images),
            *(
                f"{self._data.label}: {text} ({count} of {of_all} runs)"
                for text, count in self._deviations.items()
            ),
        ]

    def _trained_images(self, images: int) -> list[str]:
        if most := max((each for each in self._trained if each is not None), default=0):
            return [
                f"{self._data.label}: {most} of its {images} images are training images of a row, "
                "so its scores say less of new images"
            ]
        if None in self._trained:
            return [
                f"{self._data.label} could not be compared with the training images of every row, "
                "which were no longer there"
            ]
        return []

    def _run(self, run: RunRecord) -> RunRecord:
        finished = run.finished
        if finished is None:
            return run
        key = self._data.keys.get(run.run.key)
        try:
            found = self._store.run(run.run.key).evaluations.read(key) if key else None
            if found is not None and (wrong := contradictions_of(found)):
                raise StoreError(f"the evaluation {key} contradicts its own pixels: {wrong[0]}", "")
        except StoreError as error:
            cause = cause_of(error, self._store)
            return replace(run, finished=None, missing_reason="unreadable", cause=cause)
        if found is None:
            return replace(run, finished=None, missing_reason="not run", cause=None)
        self._trained.append(found.trained_images)
        self._deviations.update(map(short_memory, found.micro_batches))
        result = finished.result.model_copy(
            update={
                "metrics": found.metrics,
                "confusion": found.confusion,
                "test": None,
                "micro_batches": found.micro_batches,
            }
        )
        own = replace(finished, result=result, confusions=found.confusions)
        return replace(run, finished=own)
