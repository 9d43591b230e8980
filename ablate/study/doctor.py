"""``examine``: what this machine has, what is missing, and how to fix it."""

import os
import platform
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

from ablate import tracking
from ablate.errors import BadInput, SpecError, StoreError
from ablate.registry import Catalogue
from ablate.runs import Store, atomic, disk

_PACKAGES = ("torch", "torchvision", "segment-anything", "mlflow", "numpy", "pandas", "pydantic")
_LITTLE_BYTES = 5_000_000_000


@dataclass(frozen=True)
class Finding:
    """One line of the examination.

    Attributes:
        what: What was examined.
        state: Whether anything is wrong with it.
        finding: What was found.
        repair: What to do; empty: nothing.
    """

    what: str
    state: Literal["ok", "note", "problem"]
    finding: str
    repair: str = ""


def examine(
    data: Path | None, checkpoint: Path | None, store: Path, tracking_uri: str | None
) -> list[Finding]:
    """Examines Python, packages, devices, catalogue, data, checkpoint, store and MLflow.

    Loads torch. Leaves nothing behind.

    Args:
        data: The data set's folder; None: not given.
        checkpoint: SAM's weights; None: not given.
        store: The store's folder; it need not exist yet.
        tracking_uri: MLflow's server; None: the database in the store.
    """
    return [
        _python(),
        *_packages(),
        *_devices(),
        *_catalogue(),
        _data(data),
        _checkpoint(checkpoint),
        *_store(Store(store)),
        _mlflow(Store(store), tracking_uri),
    ]


def _python() -> Finding:
    return Finding("Python", "ok", platform.python_version())


def _packages() -> Iterator[Finding]:
    for name in _PACKAGES:
        if name == "mlflow" and not tracking.is_installed():
            continue  # It is an extra: see ``_mlflow``.
        try:
            yield Finding(name, "ok", version(name))
        except PackageNotFoundError:
            yield Finding(name, "problem", "not installed", f"pip install {name}")


def _devices() -> Iterator[Finding]:
    try:
        import torch
        import torchvision  # noqa: F401 (whether it loads is the question)
    except (ImportError, OSError, RuntimeError) as error:
        yield Finding(
            "torch", "problem", f"cannot be imported: {error}", "install with constraints.txt"
        )
        return
    for index in range(torch.cuda.device_count()):
        properties = torch.cuda.get_device_properties(index)
        memory_gb = properties.total_memory / 1e9
        yield Finding(f"cuda:{index}", "ok", f"{properties.name}, {memory_gb:.0f} GB")
    if not torch.cuda.is_available():
        yield Finding(
            "GPU",
            "note",
            "none that torch can use; the CPU is used",
            "the demo needs none; for the paper's protocol install torch for your driver",
        )
    yield Finding("CPU", "ok", f"{len(os.sched_getaffinity(0))} cores for torch")


def _catalogue() -> Iterator[Finding]:
    catalogue = Catalogue()
    try:
        problems = catalogue.check()
    except SpecError as error:
        problems = error.problems
    if problems:
        yield Finding("catalogue", "problem", problems[0], "see `ablate variants check`")
        return
    count = f"{len(catalogue.variant_files)} variants, {len(catalogue.sweep_files)} sweeps"
    yield Finding("catalogue", "ok", count)
    for name, path in catalogue.hidden().items():
        hidden = f"{name}: {path} is not read, another file of its name comes first"
        yield Finding("catalogue", "note", hidden)


def _data(path: Path | None) -> Finding:
    if path is None:
        return Finding("data", "note", "none configured", "the demo needs none; else --data PATH")
    from ablate.data import detect, open_images

    try:
        images = open_images(detect(path), path)
    except BadInput as error:
        return Finding("data", "problem", *error.parts)
    return Finding("data", "ok", f"{images.label} in {path}")


def _checkpoint(path: Path | None) -> Finding:
    if path is None:
        repair = "the demo needs none; else --checkpoint PATH"
        return Finding("checkpoint", "note", "none configured", repair)
    if not path.is_file():
        return Finding("checkpoint", "problem", f"there is no file {path}", "correct the path")
    return Finding("checkpoint", "ok", f"{path}, {path.stat().st_size / 1e9:.2f} GB")


def _store(store: Store) -> Iterator[Finding]:
    """Looks at the store, or at the folder that it would be made in; leaves nothing behind."""
    place = disk.nearest_folder(store.root)
    try:
        disk.check_writable(store.root)
        how = "" if atomic.has_links(place) else ", published by renaming: no hard links here"
    except StoreError as error:
        yield Finding("store", "problem", *error.parts)
        return
    except OSError as error:
        yield Finding("store", "problem", *disk.in_words(error))
        return
    runs = f"{len(store.runs())} runs" if store.root.exists() else "not there yet"
    yield Finding("store", "ok", f"{store.root}, {runs}{how}")
    free = shutil.disk_usage(place).free
    said = f"{disk.size_text(free)} free"
    if free < _LITTLE_BYTES:
        yield Finding("disk", "note", said, "make room, or move the store")
    else:
        yield Finding("disk", "ok", said)


def _mlflow(store: Store, uri: str | None) -> Finding:
    if uri is None and not tracking.is_installed():
        finding = "not installed: runs are trained and reported, and mirrored nowhere"
        return Finding("MLflow", "note", finding, f"{tracking.INSTALL}, then `ablate sync`")
    if uri is None and not store.mlflow_path.exists():
        return Finding("MLflow", "note", "no mirror yet", "the first `ablate run` makes it")
    try:
        return Finding("MLflow", "ok", tracking.check(store, uri))
    except BadInput as error:
        return Finding("MLflow", "problem", *error.parts)
