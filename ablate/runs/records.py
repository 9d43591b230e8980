"""Records of sweeps and tunings on disk: what is read is what was written.

No folder beside them tells a changed row, claim or key of a record, as the files of a run tell of
each other: a record carries its own digest.
"""

import json
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, TypeVar

from ablate.errors import StoreError
from ablate.runs import atomic, documents
from ablate.runs.formats import SCHEMA_VERSION, SweepRecord
from ablate.runs.tuning import TuningRecord
from ablate.spec import (
    ENGINE_VERSION,
    CnnVariant,
    Context,
    Protocol,
    SamVariant,
    Sweep,
    ZeroShotVariant,
    digest_of,
)

_Record = TypeVar("_Record", SweepRecord, TuningRecord)

# Built before the record: pydantic takes over the validators of parts that have some, and makes
# others, of which only the whole is kept, where they have none.
_PARTS = (Protocol, SamVariant, CnnVariant, ZeroShotVariant, Context, Sweep)
# One of 10,000 runs has some tens of megabytes.
_MOST_BYTES = 1 << 29
_DIGEST = "sha256"
_SET_ASIDE = "damaged-"
# A hyphen and eight digits.
_DIGEST_LETTERS = 9
_NAME = re.compile(r"[^.].*-[0-9a-f]{8}\.json")


def is_record(path: Path) -> bool:
    """Whether a file's name is that of a record; notes and copies lie beside them."""
    return _NAME.fullmatch(path.name) is not None


def write(record: SweepRecord | TuningRecord, path: Path) -> None:
    """Puts a record into its file, whole or not at all, with a digest of all it says."""
    document = json.loads(record.model_dump_json())
    document[_DIGEST] = digest_of(document)
    atomic.replace(path, (json.dumps(document, indent=2, ensure_ascii=False) + "\n").encode())


def load(path: Path, repair: str) -> dict[str, Any]:
    """What a record says, of whatever schema. Those of older versions carry no digest.

    Raises:
        FileNotFoundError: If there is no such file.
        StoreError: If it cannot be read, or was changed after it was written.
    """
    document = documents.load(path, repair, _MOST_BYTES)
    stated = document.pop(_DIGEST, None)
    is_known = documents.schema_version(document) <= SCHEMA_VERSION
    if is_known and stated is not None and _own_digest(document) != stated:
        raise StoreError(f"{path} was changed after it was written", repair)
    return document


def parse(model: type[_Record], document: dict[str, Any], path: Path, repair: str) -> _Record:
    """The record that a document is.

    Raises:
        StoreError: If it is none, or that of another file.
    """
    for part in _PARTS:
        part.model_rebuild()
    record = documents.parse(model, document, str(path), repair)
    # A name becomes the name of files: it is not to lead out of the store. What an older engine
    # has digested cannot be computed any more.
    is_present = record.context.engine == ENGINE_VERSION
    named = record.id if is_present else f"{record.sweep.name}{path.stem[-_DIGEST_LETTERS:]}"
    if named != path.stem:
        raise StoreError(f"{path} is the record of {record.id!r}", repair)
    return record


def set_aside(path: Path) -> Path:
    """Moves a damaged record into a folder ``damaged-N`` beside it.

    Returns:
        Where it is now.
    """
    earlier = [each for each in path.parent.iterdir() if each.name.startswith(_SET_ASIDE)]
    target = path.parent / f"{_SET_ASIDE}{len(earlier) + 1}" / path.name
    target.parent.mkdir()
    atomic.rename(path, target)
    return target


def is_there(path: Path) -> bool:
    """Whether anything lies in a record's place, links to nothing included."""
    return os.path.lexists(path)


def _own_digest(document: dict[str, Any]) -> str | None:
    try:
        return digest_of(document)
    # NaN and infinity, which JSON does not know.
    except ValueError:
        return None


# Several starts of one sweep ----------------------------------------------------------------


def merged(earlier: SweepRecord, latest: SweepRecord) -> SweepRecord:
    """The latest start with what only earlier ones had."""
    names = _ordered(latest.sweep.variants, [run.name for run in latest.runs])
    names = _ordered([run.name for run in earlier.runs], names)
    places = {name: place for place, name in enumerate(names)}
    # Without the seed: what is only evaluated has one run for all seeds.
    again = {(run.key, run.name) for run in latest.runs}
    older = [run for run in earlier.runs if (run.key, run.name) not in again]
    # A stable sort: where a row and a repeat have several runs, the latest stays the last.
    runs = sorted((*older, *latest.runs), key=lambda run: (places[run.name], run.repeat))
    seeds = tuple(sorted({*earlier.seeds, *latest.seeds}))
    splits = tuple(sorted({*earlier.splits, *latest.splits}))
    by_number = {each.number: each for each in (*earlier.numbered, *latest.numbered)}
    numbered = tuple(by_number[number] for number in sorted(by_number))
    return latest.model_copy(
        update={"runs": tuple(runs), "seeds": seeds, "splits": splits, "numbered": numbered}
    )


def joined(one: SweepRecord, other: SweepRecord) -> SweepRecord:
    """The records of two stores; what both have is the later start's."""
    earlier, latest = sorted((one, other), key=lambda record: record.updated)
    # What is only evaluated was started with the lowest seed of its own store.
    lowest: dict[tuple[str, str], int] = {}
    for run in (*earlier.runs, *latest.runs):
        place = run.key, run.name
        lowest[place] = min(run.seed, lowest.get(place, run.seed))
    both = merged(earlier, latest)
    runs = [run.model_copy(update={"seed": lowest[run.key, run.name]}) for run in both.runs]
    return both.model_copy(
        update={"runs": tuple(runs), "matched": earlier.matched | latest.matched}
    )


def _ordered(known: Iterable[str], decisive: Iterable[str]) -> list[str]:
    """All names, in the order of ``decisive`` as far as it has them.

    Others follow the name that precedes them in ``known``.
    """
    order = list(dict.fromkeys(decisive))
    previous = -1
    for name in dict.fromkeys(known):
        if name not in order:
            order.insert(previous + 1, name)
        previous = order.index(name)
    return order
