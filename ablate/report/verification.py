"""Recomputes the numbers of a sweep's runs from the raw pixels of every image."""

import hashlib
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from ablate.errors import StoreError
from ablate.metrics import Confusion, scores
from ablate.report.results import cause_of, one_line
from ablate.report.verification_model import Disagreement, Value
from ablate.runs import (
    PartScores,
    RecordedRun,
    Result,
    RunFolder,
    SpecFile,
    Store,
    SweepRecord,
    TuningRecord,
    plain_files,
    sealing,
)
from ablate.spec import ENGINE_VERSION, DataIdentity, canonical_json


@dataclass
class RunChecks:
    """What was checked of runs; see ``Verification`` for the fields."""

    runs: int = 0
    runs_without_result: int = 0
    values: int = 0
    weights: int = 0
    weights_absent: int = 0
    disagreements: list[Disagreement] = field(default_factory=list)


def check_runs(record: SweepRecord, store: Store) -> RunChecks:
    """Checks every run that was ever planned for a sweep, trials and tuned runs included.

    The pooled pixels and every metric are recomputed from ``confusion.parquet``, the selected
    epoch and the number of steps from ``events.jsonl``, the weights' SHA-256 from the file, and
    keys from specs. What cannot be read is a disagreement.
    """
    checks = RunChecks()
    seen: set[str] = set()
    for run in record.runs:
        if record.context.engine == ENGINE_VERSION:
            computed = record.run_spec(run).key
            _Run(run, run.label, store, checks).compare(
                "key", run.key, computed, f"sweeps/{record.id}.json"
            )
    runs = [(run, run.label) for run in record.runs]
    try:
        runs += _tuning_runs(record, store)
    except StoreError as error:
        checks.disagreements.append(_of_record(f"tunings/{record.id}.json", error, store))
    for run, label in runs:
        if run.key not in seen:
            seen.add(run.key)
            _Run(run, label, store, checks).check()
    return checks


def check_folder(folder: RunFolder, store: Store) -> list[Disagreement]:
    """Checks one run's folder against itself, whichever sweep it belongs to.

    Raises:
        StoreError: If its spec cannot be read.
    """
    spec, checks = folder.spec_file(), RunChecks()
    run = RecordedRun(
        key=spec.key,
        name=spec.run.name,
        variant=spec.run.variant,
        seed=spec.run.seed,
        split=spec.run.split,
    )
    _Run(run, run.label, store, checks).check()
    return checks.disagreements


def _of_record(file: str, error: StoreError, store: Store) -> Disagreement:
    """A record that cannot be read."""
    return Disagreement(
        row=None,
        split=None,
        seed=None,
        key=None,
        what="file",
        stored=None,
        recomputed=None,
        file=file,
        note=cause_of(error, store),
    )


def _tuning_runs(record: SweepRecord, store: Store) -> Iterator[tuple[RecordedRun, str]]:
    tuning: TuningRecord | None = store.tuning(record.id)
    if tuning is None:
        return
    for trial in tuning.trials:
        yield trial.run, f"{trial.run.label}, trial {trial.number}"
    for row in tuning.tuned:
        for run in row.runs:
            yield run, f"{run.label}, tuned"


class _Run:
    """The checks of one run."""

    def __init__(self, run: RecordedRun, label: str, store: Store, checks: RunChecks) -> None:
        self._run, self._label, self._checks = run, label, checks
        self._folder: RunFolder = store.run(run.key)
        self._root = store.root
        self._place = f"runs/{run.key}"
        # What the spec says; None where it cannot be read.
        self._data: DataIdentity | None = None

    def check(self) -> None:
        """Compares all that the folder says; what cannot be read is a disagreement."""
        if not self._folder.path.is_dir():
            self._checks.runs_without_result += 1
            return
        with self._reading("spec.json"):
            # It refuses the spec of another key.
            self._check_spec(self._folder.spec_file())
        with self._reading("attempts"):
            self._folder.attempts()
        with self._reading("result.json"):
            result = self._folder.result()
            if result is None:
                self._checks.runs_without_result += 1
                # It decides what the report says of the run.
                self._folder.failure()
                return
            self._checks.runs += 1
            self._check_weights(result)
            self._check_epochs(result)
            with self._reading("confusion.parquet"):
                self._check_scores(result)
            if result.test is not None:
                with self._reading("confusion-test.parquet"):
                    self._check_test(result.test)
            self._check_evaluations()
            # Last: which number was edited says more than that the file was.
            self._check_digests(result)

    def _check_spec(self, spec: SpecFile) -> None:
        """The recorded run is the one of the spec, which its key names."""
        file, backbone = f"{self._place}/spec.json", spec.run.context.protocol.backbone
        self._data = spec.run.context.data
        self.compare("key", spec.key, self._run.key, file)
        own, recorded = (each.variant.identity(backbone) for each in (spec.run, self._run))
        for name in dict.fromkeys([*own, *recorded]):
            stored, expected = own.get(name), recorded.get(name)
            self.compare(f"variant.{name}", _shown(stored), _shown(expected), file)
        if self._run.variant.is_trained:
            self.compare("seed", spec.run.seed, self._run.seed, file)

    def _check_scores(self, result: Result) -> None:
        """Pooled pixels and every metric, from the pixels of every image."""
        file = f"{self._place}/result.json"
        confusions = self._folder.confusions()
        pixels, images = confusions.pooled, len(confusions.names)
        if self._data is not None:
            file_of_pixels = f"{self._place}/confusion.parquet"
            self.compare("images", self._data.validation, images, file_of_pixels)
            tested = result.test.images if result.test else 0
            self.compare("test.images", tested, self._data.test, file)
        for cell, stored in result.confusion.items():
            self.compare(f"confusion.{cell}", stored, pixels.get(cell), file)
        for metric, value in scores(Confusion(**pixels)).items():
            self.compare(f"metrics.{metric}", result.metrics.get(metric), value, file)

    def _check_test(self, test: PartScores) -> None:
        """The same of the test part."""
        file = f"{self._place}/result.json"
        confusions = self._folder.test_confusions()
        pixels = confusions.pooled
        self.compare("test.images", test.images, len(confusions.names), file)
        for cell, stored in test.confusion.items():
            self.compare(f"test.confusion.{cell}", stored, pixels.get(cell), file)
        for metric, value in scores(Confusion(**pixels)).items():
            self.compare(f"test.metrics.{metric}", test.metrics.get(metric), value, file)

    def _check_evaluations(self) -> None:
        """The same of other data sets; that one was changed is seen as it is read."""
        evaluations = self._folder.evaluations
        with self._reading("evaluations"):
            for key in evaluations.names():
                with self._reading(f"evaluations/{key}.json"):
                    if (found := evaluations.read(key)) is None:
                        continue
                    file = f"{self._place}/evaluations/{key}.json"
                    for metric, value in scores(Confusion(**found.confusion)).items():
                        stored = found.metrics.get(metric)
                        self.compare(f"metrics.{metric}", stored, value, file)

    def _check_epochs(self, result: Result) -> None:
        """The selected epoch is the first of the lowest validation loss."""
        with self._reading("events.jsonl"):
            events = self._folder.events()
            if not events and "events.jsonl" in result.files:
                raise StoreError(f"{self._place}/events.jsonl is missing or empty", "")
            losses = [each.metrics.get("val_loss", math.nan) for each in events]
            if losses and not any(map(math.isnan, losses)):
                file = f"{self._place}/result.json"
                self.compare("epochs", result.epochs, len(losses), file)
                self.compare("epoch", result.epoch, losses.index(min(losses)) + 1, file)

    def _check_digests(self, result: Result) -> None:
        """The digests that the result carries; those of older versions carry none."""
        self._checks.values += len(result.files) + (result.sha256 is not None)
        for name, stored, computed in sealing.differences(result, self._folder.path):
            self._note("sha256", stored, computed, f"{self._place}/{name}")

    def _check_weights(self, result: Result) -> None:
        with self._reading("weights.safetensors"):
            try:
                with plain_files.opened(self._folder.weights_path) as content:
                    digest = hashlib.file_digest(content, "sha256").hexdigest()
            except FileNotFoundError:
                self._checks.weights_absent += 1
                return
            self._checks.weights += 1
            self.compare(
                "weights_sha256", result.weights_sha256, digest, f"{self._place}/result.json"
            )

    @contextmanager
    def _reading(self, name: str) -> Iterator[None]:
        """Notes that a file cannot be read."""
        try:
            yield
        except (StoreError, OSError) as error:
            # Where the store lies says nothing: a bundle is unpacked anywhere.
            note = one_line(str(error)).replace(f"{self._root}/", "")
            self._note("file", None, None, f"{self._place}/{name}", note)

    def compare(self, what: str, stored: Value, recomputed: Value, file: str) -> None:
        """Notes a value that differs; numbers are to agree in every bit."""
        self._checks.values += 1
        if stored != recomputed:
            self._note(what, stored, recomputed, file)

    def _note(
        self, what: str, stored: Value, recomputed: Value, file: str, note: str | None = None
    ) -> None:
        self._checks.disagreements.append(
            Disagreement(
                row=self._label,
                split=self._run.split,
                seed=self._run.seed,
                key=self._run.key,
                what=what,
                stored=stored,
                recomputed=recomputed,
                file=file,
                note=note,
            )
        )


def _shown(value: object) -> Value:
    """A part of a variant's identity, as one value."""
    return value if isinstance(value, str | int | float | None) else canonical_json(value)
