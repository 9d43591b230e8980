"""What says that data or weights have changed since the runs of a sweep."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from ablate.errors import StoreError
from ablate.plan import Plan, resnet_files
from ablate.plan.data_files import (
    MOST_READ_BYTES,
    changed_data_files,
    changed_weights,
    some_of,
)
from ablate.runs import State, Store, SweepRecord
from ablate.spec import Context
from ablate.study.request import Request


def changed_since_the_runs(request: Request, plan: Plan, store: Store) -> str | None:
    """Why the runs of a sweep are planned anew, where its files lie where they lay then.

    Returns:
        One line; None: they are not, or the user names other data and weights.
    """
    if store.has_sweep_record(plan.record_id):
        return None
    records = store.sweep_records(plan.sweep.name, problems=[])
    before = next((each for each in records if _is_alike(each, plan)), None)
    if before is None:
        return None
    context, said = before.context, []
    digest = context.data.digest
    if digest != plan.context.data.digest and _lay_at(store, digest) == _absolute(request.data):
        changes = changed_data_files(store, digest, store.source(digest))
        said.append(_data_changed(changes))
    said += [
        _weights_changed(changed)
        for then, now, file in _files_of_weights(request, context, plan.context)
        if then != now and (changed := changed_weights(store, then, file))
    ]
    if not said:
        return None
    count = sum(run.state is State.NEW for run in plan.runs)
    return f"{'; '.join(said)}; {_runs(count)} planned anew"


def changes_of_sweeps(records: Iterable[SweepRecord], store: Store) -> Iterator[str]:
    """A line for each sweep whose data or weights are others now, as far as a look tells.

    Args:
        records: The latest first; earlier ones of the same sweep and protocol are passed over.
        store: Where they lie.
    """
    seen = set()
    for record in records:
        context = record.context
        if (kind := (record.sweep.name, context.protocol)) in seen:
            continue
        seen.add(kind)
        said = []
        digest = context.data.digest
        root = _lay_at(store, digest)
        if root and (changes := changed_data_files(store, digest, root, MOST_READ_BYTES)):
            said.append(_data_changed(changes))
        resnets = [each.sha256 for each in context.resnets.values()]
        for sha256 in (context.weights.sha256, *resnets):
            if changed := changed_weights(store, sha256):
                said.append(_weights_changed(changed))
        if said:
            yield f"{record.sweep.name}: {'; '.join(said)}; its next start plans the runs anew"


def _is_alike(record: SweepRecord, plan: Plan) -> bool:
    """Whether only data and weights may be others than those of a plan."""
    return record.context.protocol == plan.context.protocol


def _files_of_weights(
    request: Request, before: Context, now: Context
) -> Iterator[tuple[str, str, Path]]:
    """Each file of weights that the user gives: its digest then and now, and where it is."""
    if request.checkpoint is not None:
        yield before.weights.sha256, now.weights.sha256, request.checkpoint
    for resnet, file in resnet_files(request.backbone_weights).items():
        if resnet in before.resnets and resnet in now.resnets:
            yield before.resnets[resnet].sha256, now.resnets[resnet].sha256, file


def _lay_at(store: Store, digest: str) -> Path | None:
    """Where data of this digest lay; None: nowhere that is known."""
    try:
        return store.source(digest)
    except StoreError:
        return None


def _absolute(path: Path | None) -> Path | None:
    return None if path is None else path.absolute()


def _data_changed(changes: list[str]) -> str:
    """Names the files, where they were kept: not by a store of an older version."""
    names = f": {some_of(changes)}" if changes else ""
    return f"data changed since the runs of this sweep{names}"


def _weights_changed(change: str) -> str:
    return f"weights changed since the runs of this sweep: {change}"


def _runs(count: int) -> str:
    return "1 run is" if count == 1 else f"{count} runs are"
