"""``ablate doctor``: what this machine has, what is missing, and how to mend it."""

import os
import platform
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import typer
from filelock import FileLock
from rich.markup import escape

from ablate import tracking
from ablate.cli import options
from ablate.cli.console import TableFormat, out, print_json
from ablate.errors import BadInput
from ablate.registry import Catalogue
from ablate.runs import Store

_PACKAGES = ("torch", "torchvision", "segment-anything", "mlflow", "numpy", "pandas", "pydantic")
_LITTLE_GB = 5
_MARK = {"ok": "[green]ok[/]", "note": "[yellow]note[/]", "problem": "[red]problem[/]"}


@dataclass(frozen=True)
class _Finding:
    """One line of the examination: what was looked at, how it is, what to do."""

    what: str
    state: str
    finding: str
    repair: str = ""


def doctor(
    data: options.DataPath = None,
    checkpoint: options.CheckpointPath = None,
    store: options.StorePath = options.DEFAULT_STORE,
    tracking_uri: options.TrackingUri = None,
    format: options.Format = TableFormat.TABLE,
) -> None:
    """Examine Python, packages, devices, catalogue, data, checkpoint, store and MLflow."""
    findings = [
        _python(),
        *_packages(),
        *_devices(),
        _catalogue(),
        _data(data),
        _checkpoint(checkpoint),
        *_store(Store(store)),
        _mlflow(Store(store), tracking_uri),
    ]
    if format is TableFormat.JSON:
        print_json([asdict(finding) for finding in findings])
    else:
        for finding in findings:
            out.print(f"{_MARK[finding.state]:<20} {finding.what}: ", end="")
            out.print(finding.finding, markup=False, soft_wrap=True)
            if finding.repair:
                out.print(f"        → {escape(finding.repair)}", soft_wrap=True)
    if any(finding.state == "problem" for finding in findings):
        raise typer.Exit(1)


def _python() -> _Finding:
    return _Finding("Python", "ok", platform.python_version())


def _packages() -> Iterator[_Finding]:
    for name in _PACKAGES:
        try:
            yield _Finding(name, "ok", version(name))
        except PackageNotFoundError:
            yield _Finding(name, "problem", "not installed", f"pip install {name}")


def _devices() -> Iterator[_Finding]:
    try:
        import torch
        import torchvision  # noqa: F401 (whether it loads is the question)
    except (ImportError, OSError, RuntimeError) as error:
        yield _Finding(
            "torch", "problem", f"cannot be imported: {error}", "install with constraints.txt"
        )
        return
    for index in range(torch.cuda.device_count()):
        properties = torch.cuda.get_device_properties(index)
        memory_gb = properties.total_memory / 1e9
        yield _Finding(f"cuda:{index}", "ok", f"{properties.name}, {memory_gb:.0f} GB")
    if not torch.cuda.is_available():
        yield _Finding(
            "GPU",
            "note",
            "none that torch can use; the CPU is used",
            "the demo needs none; for the paper's protocol install torch for your driver",
        )
    yield _Finding("CPU", "ok", f"{len(os.sched_getaffinity(0))} cores for torch")


def _catalogue() -> _Finding:
    catalogue = Catalogue()
    problems = catalogue.check()
    if problems:
        return _Finding("catalogue", "problem", problems[0], "see `ablate variants check`")
    count = f"{len(catalogue.variant_files)} variants, {len(catalogue.sweep_files)} sweeps"
    return _Finding("catalogue", "ok", count)


def _data(path: Path | None) -> _Finding:
    if path is None:
        return _Finding("data", "note", "none configured", "the demo needs none; else --data PATH")
    from ablate.data import detect, open_images

    try:
        images = open_images(detect(path), path)
    except BadInput as error:
        return _Finding("data", "problem", str(error))
    return _Finding("data", "ok", f"{images.label} in {path}")


def _checkpoint(path: Path | None) -> _Finding:
    if path is None:
        repair = "the demo needs none; else --checkpoint PATH"
        return _Finding("checkpoint", "note", "none configured", repair)
    if not path.is_file():
        return _Finding("checkpoint", "problem", f"there is no file {path}", "correct the path")
    return _Finding("checkpoint", "ok", f"{path}, {path.stat().st_size / 1e9:.2f} GB")


def _store(store: Store) -> Iterator[_Finding]:
    """Looks at the store, or at the folder that it would be made in; leaves nothing behind."""
    place = store.root
    while not place.exists():
        place = place.parent
    if not os.access(place, os.W_OK):
        yield _Finding("store", "problem", f"{place} cannot be written", "give another --store")
        return
    probe = place / f".ablate-doctor-{os.getpid()}"
    try:
        with FileLock(probe, timeout=1):
            locks = True
    except OSError:
        locks = False
    finally:
        probe.unlink(missing_ok=True)
    if not locks:
        yield _Finding(
            "store", "problem", f"{place} has no file locks", "put the store on another disk"
        )
        return
    runs = f"{len(store.runs())} runs" if store.root.exists() else "not there yet"
    yield _Finding("store", "ok", f"{store.root}, {runs}")
    free_gb = shutil.disk_usage(place).free / 1e9
    if free_gb < _LITTLE_GB:
        yield _Finding("disk", "note", f"{free_gb:.1f} GB free", "make room, or move the store")
    else:
        yield _Finding("disk", "ok", f"{free_gb:.0f} GB free")


def _mlflow(store: Store, uri: str | None) -> _Finding:
    if uri is None and not store.mlflow_path.exists():
        return _Finding("MLflow", "note", "no mirror yet", "the first `ablate run` makes it")
    return _Finding("MLflow", "ok", tracking.tracking_uri(store, uri))
