"""``write_bundle``: a sweep in one archive."""

import hashlib
import tempfile
import zipfile
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import yaml

from ablate.errors import StoreError
from ablate.registry import Catalogue, named_files, search_path
from ablate.report.published import load_parameters, load_scores
from ablate.report.store_view import StoreView
from ablate.report.verification import check_runs
from ablate.runs import RecordedRun, State, Store, SweepRecord, atomic, plain_files
from ablate.study.bundle.building import report_of
from ablate.study.bundle.crate import FileFacts, crate_of
from ablate.study.bundle.form import CONTENTS, METADATA, REPORTS, BundleContents
from ablate.study.parameters import count_for_report
from ablate.study.report import SweepReport, check_target, declared_rows

# What the numbers of a report are computed with, as far as it is installed.
_PACKAGES = ("numpy", "optuna", "scipy", "statsmodels")
# The earliest date that an archive can hold: equal files make equal archives.
_DATE = (1980, 1, 1, 0, 0, 0)
_FILE_MODE = 0o100644 << 16
_UNIX = 3
_CHUNK_BYTES = 1 << 20


def write_bundle(
    record: SweepRecord, store: Store, path: Path, *, weights: bool = False
) -> SweepReport:
    """Packs everything that a sweep's numbers can be recomputed from, and its report.

    Equal stores give equal bytes, with the same versions of ablate and of the packages that a
    report depends on. Neither images nor panels of the data are packed.

    Args:
        record: The start of the sweep.
        store: Where its runs lie.
        path: The archive to write.
        weights: Whether the trained weights are packed too.

    Returns:
        The report in the bundle.

    Raises:
        BadInput: If the path is a folder.
        SpecError: If a published table is missing or breaks rules.
        StoreError: If a record or a file of the store cannot be read, or says what the raw
            pixels do not give.
    """
    check_target(path)
    runs = _runs_of(record, store)
    with tempfile.TemporaryDirectory(prefix="ablate-bundle-") as name:
        folder = Path(name)
        contents = BundleContents(
            ablate=version("ablate"),
            packages=_packages(),
            sweep=record.id,
            states=_states_of(runs, store),
            declared=declared_rows(record),
            parameters=count_for_report(record, store),
        )
        _copy_records(record, store, folder)
        _copy_runs(runs, store, folder)
        if record.sweep.published:
            _copy_published(record.sweep.published, folder)
        _check(record, StoreView(folder, states=contents.states))
        if weights:
            # They are not in the copy.
            _check(record, store)
        _write(folder / CONTENTS, contents.model_dump_json(indent=1) + "\n")
        made = report_of(folder, record, contents)
        for written, file in REPORTS.items():
            _write(folder / file, made.render(written))
        sources = {each.relative_to(folder).as_posix(): each for each in _files(folder)}
        if weights:
            paths = (store.run(key).weights_path for key in runs)
            sources |= {
                f"runs/{each.parent.name}/{each.name}": each for each in paths if each.is_file()
            }
        _pack(path, made, contents, {name: sources[name] for name in sorted(sources)})
    return made


def _check(record: SweepRecord, copy: Store) -> None:
    """Refuses to pack what ``verify_bundle`` would find fault with."""
    disagreements = check_runs(record, copy).disagreements
    if not disagreements:
        return
    first = disagreements[0]
    what = first.note or f"{first.what} is {first.stored}, recomputed {first.recomputed}"
    raise StoreError(
        f"{record.id} contradicts its raw files in {len(disagreements)} of its values, in "
        f"{first.file}: {what}",
        f"see `ablate verify --grid {record.sweep.name}`, remove these runs and run them again",
    )


def _runs_of(record: SweepRecord, store: Store) -> dict[str, RecordedRun]:
    """Every run that was ever planned for the sweep and for its tuning, by key."""
    runs = list(record.runs)
    if (tuning := store.tuning(record.id)) is not None:
        runs += [trial.run for trial in tuning.trials]
        runs += [run for row in tuning.tuned for run in row.runs]
    return {run.key: run for run in runs}


def _states_of(runs: dict[str, RecordedRun], store: Store) -> dict[str, State]:
    states = {key: store.run(key).state() for key in sorted(runs)}
    return {key: state for key, state in states.items() if state is not State.DONE}


def _packages() -> dict[str, str]:
    found = {}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _copy_records(record: SweepRecord, store: Store, folder: Path) -> None:
    copy = Store(folder)
    _write(folder / "sweeps" / f"{record.id}.json", record.model_dump_json(indent=2) + "\n")
    if (tuning := store.tuning(record.id)) is not None:
        copy.record_tuning(tuning)
    context = record.context
    if (check := store.data_check(context.data.digest, context.protocol.split)) is not None:
        copy.record_data_check(check)


def _copy_runs(runs: dict[str, RecordedRun], store: Store, folder: Path) -> None:
    copy = Store(folder)
    for key in runs:
        origin = store.run(key)
        for source in origin.record_paths():
            try:
                content = plain_files.read_bytes(source)
            except FileNotFoundError:
                continue
            target = copy.run(key).path / source.relative_to(origin.path)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)


def _copy_published(name: str, folder: Path) -> None:
    """The published tables as they are, and the variants that printed rows may stand for."""
    files = named_files(search_path("reports/published"))
    parameters = load_scores(name).parameters
    names = [name] if parameters is None else [name, parameters]
    for each in names:
        _write(folder / "reports" / "published" / f"{each}.yaml", files[each].read_text("utf-8"))
    if parameters is None:
        return
    catalogue = Catalogue()
    for row in load_parameters(parameters).rows.values():
        for variant in row.interpretations:
            content = catalogue.variant(variant).model_dump(mode="json")
            _write(folder / "variants" / f"{variant}.yaml", yaml.safe_dump(content))


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.is_file() and path.suffix != ".lock")


# The archive ------------------------------------------------------------------------------


def _pack(
    path: Path, made: SweepReport, contents: BundleContents, sources: dict[str, Path]
) -> None:
    """Writes the archive, its metadata last: the digests are those of what was packed."""
    finished = [run.finished for run in made.report.provenance.runs]
    published = max(finished, default=made.record.updated)
    with atomic.writing(path) as file, zipfile.ZipFile(file, "w") as archive:
        facts = {name: _add(archive, name, source) for name, source in sources.items()}
        metadata = crate_of(made.report, contents, facts, published)
        archive.writestr(_entry(METADATA), metadata.encode())


def _add(archive: zipfile.ZipFile, name: str, source: Path) -> FileFacts:
    """Packs a file, and tells what was packed."""
    digest, size_bytes = hashlib.sha256(), 0
    with (
        plain_files.opened(source) as content,
        archive.open(_entry(name), "w", force_zip64=True) as packed,
    ):
        while chunk := content.read(_CHUNK_BYTES):
            digest.update(chunk)
            size_bytes += len(chunk)
            packed.write(chunk)
    return FileFacts(size_bytes, digest.hexdigest())


def _entry(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, _DATE)
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.external_attr = _FILE_MODE
    entry.create_system = _UNIX
    return entry
