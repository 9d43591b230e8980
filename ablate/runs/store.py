"""The store: the folder that holds the runs, the sweeps' records and what is derived from them."""

import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from ablate.errors import StoreClosed, StoreError
from ablate.runs import atomic, documents, locks, plain_files, records, sources
from ablate.runs.data_check import DataCheck, data_check_id
from ablate.runs.folder import RunFolder
from ablate.runs.formats import (
    MatchedRow,
    NumberedSplit,
    RecordedRun,
    Source,
    SpecFile,
    SweepRecord,
)
from ablate.runs.names import shown, unwritable
from ablate.runs.tuning import TuningRecord
from ablate.spec import Context, RunSpec, Split, Sweep

_Name = TypeVar("_Name", Path, str)
_Record = TypeVar("_Record", SweepRecord, TuningRecord)

# Of the working folder.
DEFAULT_STORE = Path("ablate-store")

# A file system's journal writes what waits for the disk at the same time in one go: with eight
# writers a folder costs a tenth of what it costs with one, and more do not help.
_WRITERS = 8

# What else lies in these folders (notes, .DS_Store, copies) is not ablate's.
_RUN_NAME = re.compile("[0-9a-f]{16}")
_DIGEST = re.compile("[0-9a-f]+")
# What the journal says of every trial that was begun; the record is written before.
_TRIAL_IN_JOURNAL = b'"ablate.run"'
# Which settings were tried, and in which order, is known nowhere else.
_TUNING_REPAIR = (
    "restore it from a copy; or move it away, with the journal beside it, and tune with the same "
    "words again, which asks for the same settings and trains none of them twice"
)


class Store:
    """A store on disk.

    Layout: ``runs/KEY/`` (see RunFolder), ``sweeps/ID.json``, ``tunings/ID.json``,
    ``sources/DIGEST.json``, ``data-checks/ID.json``, ``drivers/`` (who trains here now),
    ``cache/`` (derived from the data), ``mlflow/`` (the mirror) and ``logs/``, the last three of
    which may be deleted.

    Args:
        root: The folder; it need not exist yet.

    Raises:
        StoreError: If its path is not UTF-8 or has control characters, or if a link lies in place
            of one of its folders.
    """

    def __init__(self, root: Path) -> None:
        """Looks for links, and touches nothing."""
        self.root = root.absolute()
        if (reason := unwritable(self.root)) is not None:
            raise StoreError(
                f"the path of the store {shown(self.root)} {reason}", "rename it, or name another"
            )
        plain_files.check_no_links(self.root)
        self.cache_path = self.root / "cache"
        self.digests_path = self.cache_path / "digests.json"
        self.reports_path = self.cache_path / "reports"
        self.logs_path = self.root / "logs"
        self.mlflow_path = self.root / "mlflow"
        self.drivers_path = self.root / "drivers"
        self._runs_path = self.root / "runs"
        self._folders: dict[str, RunFolder] = {}
        self._sweeps_path = self.root / "sweeps"
        self._sources_path = self.root / "sources"
        self._data_checks_path = self.root / "data-checks"
        self.tunings_path = self.root / "tunings"

    @classmethod
    def of(cls, folder: RunFolder) -> "Store":
        """The store that a run's folder lies in."""
        return cls(folder.path.absolute().parent.parent)

    def run(self, key: str) -> RunFolder:
        """The folder of a run, there or not."""
        # A report asks four times for each of perhaps thousands.
        if key not in self._folders:
            self._folders[key] = RunFolder(self._runs_path / key)
        return self._folders[key]

    def runs(self) -> list[RunFolder]:
        """Every run that was ever planned, by key; what else lies there is passed over."""
        paths = sorted(self._runs_path.glob("*/spec.json"))
        return [RunFolder(path.parent) for path in paths if _RUN_NAME.fullmatch(path.parent.name)]

    def decoded_path(self, sweep_id: str) -> Path | None:
        """Where the decoded pixels of a recorded sweep are remembered; None: nowhere."""
        return self.cache_path / "confusions" / sweep_id

    def create_runs(self, specs: Sequence[SpecFile]) -> None:
        """Creates the folders of these runs, those that are not there yet."""
        with ThreadPoolExecutor(_WRITERS) as pool:
            for _ in pool.map(lambda spec: self.run(spec.key).create(spec), specs):
                pass

    # Sweeps -------------------------------------------------------------------------------

    def record_sweep(
        self,
        sweep: Sweep,
        context: Context,
        runs: Sequence[RunSpec],
        matched: Mapping[str, MatchedRow] | None = None,
    ) -> SweepRecord:
        """Remembers that a sweep was started, with the runs of earlier starts.

        Args:
            sweep: The sweep as it is started now.
            context: What its runs on the protocol's own split share.
            runs: The runs of this start, in the order of the table.
            matched: The rows that got a value by their ``match``, by name.

        Returns:
            The record as it is now.

        Raises:
            StoreError: If the record of an earlier start cannot be read.
        """
        planned = [
            RecordedRun(
                key=run.key, name=run.name, variant=run.variant, seed=run.seed, split=run.split
            )
            for run in runs
        ]
        record = SweepRecord(
            sweep=sweep,
            context=context,
            runs=tuple(planned),
            seeds=tuple(sorted({run.seed for run in runs})),
            splits=tuple(sorted({run.split for run in runs})),
            numbered=_numbered(runs),
            updated=time.time(),
            matched=dict(matched or {}),
        )
        return self._keep_record(record, records.merged)

    def add_record(self, record: SweepRecord) -> SweepRecord:
        """Keeps the record of another store, joined with this store's own of the same context.

        Returns:
            The record as it is now; where the two differ, the later start decides.

        Raises:
            StoreError: If this store's own record cannot be read.
        """
        return self._keep_record(record, records.joined)

    def _keep_record(
        self, record: SweepRecord, join: Callable[[SweepRecord, SweepRecord], SweepRecord]
    ) -> SweepRecord:
        """Writes a record, joined with the one that is there."""
        path = self._sweeps_path / f"{record.id}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        # Of two starts at once, the second reads what the first has written.
        with locks.held(path.with_name(".records.lock")):
            if records.is_there(path) and (earlier := self._read_record(path)):
                record = join(earlier, record)
            records.write(record, path)
        return record

    def has_sweep_record(self, sweep_id: str) -> bool:
        """Whether a sweep was started under this ``id``."""
        return records.is_there(self._sweeps_path / f"{sweep_id}.json")

    def set_damaged_record_aside(self, sweep_id: str) -> str | None:
        """Moves the record of a sweep that cannot be read into ``sweeps/damaged-N``.

        Returns:
            What the user should know; None: there is none, or it can be read.

        Raises:
            StoreClosed: If it is not damaged, and yet cannot be read.
        """
        path = self._sweeps_path / f"{sweep_id}.json"
        if not records.is_there(path):
            return None
        with locks.held(path.with_name(".records.lock")):
            try:
                self._read_record(path)
            except StoreClosed:
                raise
            except StoreError as error:
                problem, target = error.parts[0], records.set_aside(path)
            except FileNotFoundError:
                return None
            else:
                return None
        return (
            f"{problem}; it was moved to {target} and is written anew. Rows, seeds and splits "
            "that only earlier starts had are not in the new one: start them again, and nothing "
            "that is done is trained twice"
        )

    def sweep_records(
        self, name: str | None = None, problems: list[str] | None = None
    ) -> list[SweepRecord]:
        """Every record of the sweep of this name (of all sweeps), the latest first.

        What else lies in the folder is passed over.

        Args:
            name: The sweep's name; None: all.
            problems: Takes one line for each record that cannot be read, whatever sweep it is of.
                None: such a record is an error.

        Raises:
            StoreError: If a record cannot be read, unless ``problems`` takes it.
        """
        paths = [
            path for path in sorted(self._sweeps_path.glob("*.json")) if records.is_record(path)
        ]
        found = list(_readable(self._read_record, paths, problems))
        chosen = [record for record in found if name in (None, record.sweep.name)]
        return sorted(chosen, key=lambda record: record.updated, reverse=True)

    def _read_record(self, path: Path) -> SweepRecord | None:
        """The record in a file; None for one of schema 1 all of whose runs were removed."""
        repair = "start the sweep again, which sets it aside and writes it anew"
        document = records.load(path, repair)
        keys = document.get("runs")
        if documents.schema_version(document) == 1 and keys and isinstance(keys, list):
            document["runs"] = self._recorded_runs(keys)
            if not document["runs"]:
                return None
        return records.parse(SweepRecord, document, path, repair)

    def _recorded_runs(self, keys: Iterable[object]) -> list[dict[str, Any]]:
        """The runs that these folders describe, as far as they are there and can be read."""
        specs = []
        for key in filter(_RUN_NAME.fullmatch, map(str, keys)):
            # Of a run of this schema, nothing else says what it was.
            with suppress(StoreError):
                specs.append(self.run(key).spec_file())
        return [
            {"key": spec.key} | spec.run.model_dump(mode="json", exclude={"context"})
            for spec in specs
        ]

    # Tunings ------------------------------------------------------------------------------

    def record_tuning(self, tuning: TuningRecord) -> None:
        """Keeps the record of a tuning in place of an earlier one of this sweep and context."""
        records.write(tuning, self.tunings_path / f"{tuning.id}.json")

    def tuning(self, sweep_id: str) -> TuningRecord | None:
        """The tuning of a recorded sweep, by the record's ``id``; None: it was never tuned.

        Raises:
            StoreError: If it cannot be read.
        """
        path = self.tunings_path / f"{sweep_id}.json"
        try:
            document = records.load(path, _TUNING_REPAIR)
        except FileNotFoundError:
            _check_not_lost(path)
            return None
        return records.parse(TuningRecord, document, path, _TUNING_REPAIR)

    def tunings(self, problems: list[str] | None = None) -> list[TuningRecord]:
        """Every tuning, the latest first; what else lies in the folder is passed over.

        Args:
            problems: As for ``sweep_records``.

        Raises:
            StoreError: If a record cannot be read, unless ``problems`` takes it.
        """
        paths = sorted(self.tunings_path.glob("*.json"))
        names = [path.stem for path in paths if records.is_record(path)]
        found = list(_readable(self.tuning, names, problems))
        return sorted(found, key=lambda tuning: tuning.updated, reverse=True)

    # Sources ------------------------------------------------------------------------------

    def remember_source(self, digest: str, path: Path) -> None:
        """Notes where data or weights of this digest lie on this host."""
        file, earlier = self._sources_path / f"{digest}.json", None
        with suppress(StoreError, FileNotFoundError):
            earlier = documents.read(Source, file, "")
        noted = sources.noted(earlier, path.absolute(), self.root)
        if file.is_dir():
            records.set_aside(file)
        atomic.replace(file, noted.model_dump_json().encode())

    def source(self, digest: str) -> Path:
        """Where data or weights lie for this host; see ``sources.place``.

        Raises:
            StoreError: If this store has never seen them, or its note cannot be read.
        """
        if not _DIGEST.fullmatch(digest):
            raise StoreError(f"{shown(digest[:80])!r} is no digest", "make the run's folder anew")
        path = self._sources_path / f"{digest}.json"
        repair = "start the run with `ablate run`, which notes it"
        try:
            return sources.place(documents.read(Source, path, repair), self.root)
        except FileNotFoundError as error:
            problem = f"the store {self.root} does not know where {digest[:12]}… lies"
            raise StoreError(problem, repair) from error

    def data_files_path(self, digest: str) -> Path:
        """The small cache that lists the files of the data of this digest, with theirs."""
        return self.cache_path / "files" / f"{digest}.json"

    # Data checks --------------------------------------------------------------------------

    def record_data_check(self, check: DataCheck) -> bool:
        """Keeps the outcome of a check in place of an earlier one of this data and split.

        Returns:
            False for data without a digest, which no run can be made of; nothing is kept.
        """
        if check.digest is None:
            return False
        path = self._data_check_path(check.digest, check.split)
        atomic.replace(path, (check.model_dump_json(indent=2) + "\n").encode())
        return True

    def data_check(self, digest: str, split: Split) -> DataCheck | None:
        """The outcome of the last check of this data under this split; None: never checked.

        Raises:
            StoreError: If it cannot be read.
        """
        path = self._data_check_path(digest, split)
        try:
            return documents.read(DataCheck, path, "check the data again: `ablate data check`")
        except FileNotFoundError:
            return None

    def _data_check_path(self, digest: str, split: Split) -> Path:
        return self._data_checks_path / f"{data_check_id(digest, split)}.json"


def _readable(
    read: Callable[[_Name], _Record | None], names: Iterable[_Name], problems: list[str] | None
) -> Iterator[_Record]:
    """What ``read`` gives for each name; what it refuses goes to ``problems``, where there are."""
    for name in names:
        try:
            record = read(name)
        except StoreError as error:
            if problems is None:
                raise
            problems.append(str(error))
        else:
            if record is not None:
                yield record


def _check_not_lost(path: Path) -> None:
    """Refuses to take a tuning for one that was never begun where its journal knows its trials.

    Raises:
        StoreError: If it does.
    """
    journal = path.with_suffix(".journal")
    with suppress(OSError):
        if _TRIAL_IN_JOURNAL in plain_files.read_bytes(journal):
            raise StoreError(
                f"{path} is missing, and {journal.name} has its trials", _TUNING_REPAIR
            )


def _numbered(runs: Iterable[RunSpec]) -> tuple[NumberedSplit, ...]:
    """The splits of runs, but for the protocol's own."""
    contexts = {run.split: run.context for run in runs if run.split}
    return tuple(
        NumberedSplit(number=number, split=context.protocol.split, data=context.data)
        for number, context in sorted(contexts.items())
    )
