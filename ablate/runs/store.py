"""The store: the folder that holds the runs, the sweeps' records and everything derived."""

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ablate.errors import StoreError
from ablate.runs import atomic
from ablate.runs.folder import RunFolder
from ablate.runs.formats import Source, SpecFile, SweepRecord
from ablate.spec import Context, RunSpec

# A file system's journal takes what waits for the disk at the same time in one go: with eight
# writers a folder costs a tenth of what it costs with one, and more do not help.
_WRITERS = 8


class Store:
    """A store on disk.

    Layout: ``runs/KEY/`` (see RunFolder), ``sweeps/ID.json``, ``sources/DIGEST.json``,
    ``cache/`` (derived from the data), ``mlflow/`` (the mirror) and ``logs/``, all three of which
    may be deleted.

    Args:
        root: The folder; it need not exist yet.
    """

    def __init__(self, root: Path) -> None:
        """Touches nothing."""
        self.root = root.absolute()
        self.cache_path = self.root / "cache"
        self.digests_path = self.cache_path / "digests.json"
        self.logs_path = self.root / "logs"
        self.mlflow_path = self.root / "mlflow"
        self._runs_path = self.root / "runs"
        self._sweeps_path = self.root / "sweeps"
        self._sources_path = self.root / "sources"

    @classmethod
    def of(cls, folder: RunFolder) -> "Store":
        """The store that a run's folder lies in."""
        return cls(folder.path.absolute().parent.parent)

    def run(self, key: str) -> RunFolder:
        """The folder of a run, there or not."""
        return RunFolder(self._runs_path / key)

    def runs(self) -> list[RunFolder]:
        """Every run that was ever begun, by key."""
        return [RunFolder(path.parent) for path in sorted(self._runs_path.glob("*/spec.json"))]

    def create_runs(self, specs: Sequence[SpecFile]) -> None:
        """Creates the folders of these runs, those that are not there yet."""
        with ThreadPoolExecutor(_WRITERS) as pool:
            for _ in pool.map(lambda spec: self.run(spec.key).create(spec), specs):
                pass

    # Sweeps -------------------------------------------------------------------------------

    def record_sweep(self, sweep: str, context: Context, runs: Sequence[RunSpec]) -> SweepRecord:
        """Remembers that a sweep was started, with the seeds and runs of earlier starts."""
        record = SweepRecord(
            sweep=sweep,
            context=context,
            seeds=tuple(sorted({run.seed for run in runs})),
            runs=tuple(dict.fromkeys(run.key for run in runs)),
            updated=time.time(),
        )
        path = self._sweeps_path / f"{record.id}.json"
        if path.exists():
            known = self._read_record(path)
            record = record.model_copy(
                update={
                    "seeds": tuple(sorted({*known.seeds, *record.seeds})),
                    "runs": tuple(dict.fromkeys((*known.runs, *record.runs))),
                }
            )
        atomic.replace(path, (record.model_dump_json(indent=2) + "\n").encode())
        return record

    def sweep_records(self, sweep: str | None = None) -> list[SweepRecord]:
        """Every start of this sweep (of all sweeps), the latest first."""
        records = [self._read_record(path) for path in self._sweeps_path.glob("*.json")]
        chosen = [record for record in records if sweep in (None, record.sweep)]
        return sorted(chosen, key=lambda record: record.updated, reverse=True)

    @staticmethod
    def _read_record(path: Path) -> SweepRecord:
        try:
            return SweepRecord.model_validate_json(path.read_bytes())
        except ValueError as error:
            raise StoreError(f"{path} cannot be read: {error}", "remove the file") from error

    # Sources ------------------------------------------------------------------------------

    def remember_source(self, digest: str, path: Path) -> None:
        """Notes where data or weights of this digest lie on this machine."""
        content = Source(path=str(path.absolute())).model_dump_json()
        atomic.replace(self._sources_path / f"{digest}.json", content.encode())

    def source(self, digest: str) -> Path:
        """Where data or weights of this digest lie.

        Raises:
            StoreError: If this store has never seen them.
        """
        path = self._sources_path / f"{digest}.json"
        if not path.exists():
            raise StoreError(
                f"the store {self.root} does not know where {digest[:12]}… lies",
                "start the run with `ablate run`, which notes it",
            )
        return Path(Source.model_validate_json(path.read_bytes()).path)
