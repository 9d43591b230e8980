"""Data sets that rows are scored on and were not trained on: how each is read, what it is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ablate.errors import BadInput, DataError
from ablate.registry import Catalogue
from ablate.runs import Evaluations, RunFolder, Store, evaluation_key, shown
from ablate.spec import CocoData, Data, FoldersData, Protocol, RunSpec, repeats_text
from ablate.study.resolve import recognised

if TYPE_CHECKING:
    from ablate.data import Images
    from ablate.data.scaling import Ranges


@dataclass(frozen=True)
class Part:
    """One run and one data set.

    Attributes:
        folder: The run's folder.
        spec: Its spec.
        images: The data set, as the run's model reads it.
        opened: Opens it again.
        key: The key of the evaluation.
    """

    folder: RunFolder
    spec: RunSpec
    images: Images
    opened: Callable[[], Images]
    key: str

    @property
    def evaluations(self) -> Evaluations:
        """Those of the run."""
        return self.folder.evaluations

    @property
    def split(self) -> str:
        """What tells the training images of runs apart."""
        return self.spec.context.protocol.split.model_dump_json()

    @property
    def label(self) -> str:
        """What is being scored, for a display."""
        repeat = repeats_text([self.spec.repeat])
        return f"{self.spec.name} {repeat} on {shown(self.images.label)}"


@dataclass(frozen=True)
class OtherSet:
    """One data set and all runs.

    Attributes:
        label: What tables call it.
        digest: Of its images, as the first run reads them.
        parts: One for each run.
    """

    label: str
    digest: str
    parts: tuple[Part, ...]

    @property
    def keys(self) -> dict[str, str]:
        """The evaluation of each run."""
        return {part.folder.key: part.key for part in self.parts}


def open_sets(
    folders: Sequence[RunFolder],
    store: Store,
    data: Sequence[Path],
    overrides: Sequence[str],
    notes: list[str],
) -> list[OtherSet]:
    """Opens and reads every data set as a whole.

    Args:
        folders: Of the finished runs that are to be scored, of one context but for the split.
        store: Where they lie.
        data: The folders of the data sets.
        overrides: ``KEY=VALUE`` of the protocol's ``data``.
        notes: Takes what the user should know.

    Raises:
        BadInput: If one cannot be used, or is named twice.
    """
    specs = {folder: folder.spec() for folder in folders}
    ranges = _ranges(specs.values(), store)
    sets: list[OtherSet] = []
    for root in data:
        if not root.is_dir():
            raise DataError(f"there is no folder {root}", "give the data set's folder")
        declared = _declared(root, specs[folders[0]].context.protocol, overrides, notes)
        found = _set_of(root, declared, specs, ranges, store)
        if twin := next((each for each in sets if each.digest == found.digest), None):
            raise BadInput(
                f"{root} holds the same images as {twin.label}", "name each data set once"
            )
        if any(each.label == found.label for each in sets):
            found = replace(found, label=f"{found.label} {found.digest[:6]}")
        sets.append(found)
    return sets


def _set_of(
    root: Path,
    declared: Data,
    specs: Mapping[RunFolder, RunSpec],
    ranges: Mapping[str, Ranges | None],
    store: Store,
) -> OtherSet:
    """One data set, opened once for all runs whose training images have the same percentiles."""
    from ablate.predict.elsewhere import open_elsewhere

    opened: dict[Ranges | None, Images] = {}
    parts = []
    for folder, spec in specs.items():
        own = ranges[spec.context.data.digest]
        if own not in opened:
            opened[own] = open_elsewhere(declared, root, own, store)
        result = folder.result()
        assert result is not None
        digest, task = opened[own].digest(), spec.context.protocol.task.counting()
        parts.append(
            Part(
                folder=folder,
                spec=spec,
                images=opened[own],
                opened=partial(open_elsewhere, declared, root, own, store),
                key=evaluation_key(folder.key, result.weights_sha256, digest, task),
            )
        )
    return OtherSet(shown(parts[0].images.label), parts[0].images.digest(), tuple(parts))


def _ranges(specs: Iterable[RunSpec], store: Store) -> dict[str, Ranges | None]:
    """The percentiles of the training images, by the digest of a run's data."""
    from ablate.predict.loading import ranges_of

    found: dict[str, Ranges | None] = {}
    for spec in specs:
        if spec.context.data.digest not in found:
            found[spec.context.data.digest] = ranges_of(spec, store)
    return found


def _declared(root: Path, protocol: Protocol, overrides: Sequence[str], notes: list[str]) -> Data:
    """How a folder is laid out and read: as declared, or else as the training data is.

    Raises:
        DataError: If it is laid out neither as the training data, nor in a way that is recognised.
    """
    from ablate.data import detect, open_images

    for text in overrides:
        key = text.partition("=")[0].strip()
        if key != "data" and not key.startswith("data."):
            raise BadInput(
                f"--set {shown(text)} says nothing of the data to score on",
                "set fields of data alone, such as data.images=pictures",
            )
    if overrides:
        words = [*protocol.overrides, *overrides]
        protocol = Catalogue().protocol(protocol.name, words)
    data = recognised(root, protocol)
    try:
        open_images(data, root)
        return data
    except DataError:
        # Images are read as those of the training are, however their folders are called.
        with suppress(DataError):
            found = detect(root)
            if isinstance(data, FoldersData | CocoData) and isinstance(found, FoldersData):
                read: dict[str, object] = {"bands": data.bands, "scale": data.scale}
                if isinstance(data, FoldersData):
                    read["mask_values"] = data.mask_values
                notes.append(
                    f"{root} is laid out otherwise than is declared: its images are read from "
                    f"{found.images}, its masks from {found.masks}"
                )
                return found.model_copy(update=read)
        raise
