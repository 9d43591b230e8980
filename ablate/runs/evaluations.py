"""``evaluations/KEY.json`` of a run's folder: its trained weights, scored on another data set."""

import json
import os
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, model_validator

from ablate.errors import StoreClosed, StoreError
from ablate.runs import atomic, documents, records, sealing
from ablate.runs.cells import CELLS, MASK_COUNTS, PixelCount
from ablate.runs.confusions import Confusions
from ablate.runs.formats import Document, Machine, MicroBatch
from ablate.spec import Frozen, digest_of

# Raised by one whenever the same weights give other counts for the same images.
EVALUATION_VERSION = 1

REPAIR = "evaluate again, which sets it aside and computes it anew"
"""What to do about a damaged evaluation."""

FOLDER = "evaluations"
"""In a run's folder; what damages a run takes its evaluations aside with it."""

_NAME = re.compile(r"[0-9a-f]{16}\.json")
# So many images of so many pixels can be added up in 64 bits.
_Pixels = Annotated[int, Field(ge=0, le=1 << 40)]


class EvaluatedData(Frozen):
    """The images that a run was scored on.

    Attributes:
        label: How tables call them.
        digest: SHA-256 over names and contents, and over how they are read.
    """

    label: str
    digest: str = Field(pattern=r"^[0-9a-f]{64}$")


class Evaluation(Document):
    """What a finished run's weights give on images that are not of its own data set.

    Attributes:
        run: The run's key.
        weights_sha256: Of the trained weights.
        data: The images.
        task: What decides the counts besides the masks: the threshold, and what is counted
            besides pixels (``Task.counted``).
        version: ``EVALUATION_VERSION`` of the code that has computed it.
        names: Of the images, N of them, all different.
        counts: For each of ``CELLS``, and of what the task counts besides, N numbers.
        metrics: Scores of the pooled pixels, by name.
        trained_images: How many of the images the run was trained on, by their pixels; None: its
            training images were no longer there to be compared with.
        machine: What it was computed on.
        micro_batches: Where memory was too short for a whole batch at once; none of the run's
            steps is counted. The matrix products of another number of images may round otherwise.
        finished: When it was published.
        sha256: Of all the above in canonical JSON.
    """

    run: str = Field(pattern=r"^[0-9a-f]{16}$")
    weights_sha256: str
    data: EvaluatedData
    task: dict[str, float | dict[str, int | float]]
    version: int = Field(ge=1)
    names: tuple[str, ...] = Field(min_length=1)
    counts: dict[PixelCount, tuple[_Pixels, ...]]
    metrics: dict[str, float]
    trained_images: int | None = Field(ge=0)
    machine: Machine
    micro_batches: tuple[MicroBatch, ...] = ()
    finished: float
    sha256: str | None = None

    @model_validator(mode="after")
    def _every_image_is_counted_once(self) -> "Evaluation":
        if not any(set(self.counts) == {*CELLS, *of_masks} for of_masks in MASK_COUNTS):
            raise ValueError(f"counts has {', '.join(self.counts)}")
        if any(len(column) != len(self.names) for column in self.counts.values()):
            raise ValueError("counts and names are of different lengths")
        if len(set(self.names)) < len(self.names):
            raise ValueError("two images have one name")
        return self

    @property
    def key(self) -> str:
        """The name of its file, without the suffix."""
        return evaluation_key(self.run, self.weights_sha256, self.data.digest, self.task)

    @property
    def confusion(self) -> dict[PixelCount, int]:
        """The pixels of all images: tp, fp, fn and tn, and what the task counts besides."""
        return {name: sum(column) for name, column in self.counts.items()}

    @property
    def confusions(self) -> Confusions:
        """The pixels of every image."""
        import numpy as np

        columns = {name: np.array(each, dtype=np.int64) for name, each in self.counts.items()}
        counts = np.stack([columns[cell] for cell in CELLS], axis=1)
        of_masks = {name: columns[name] for name in MASK_COUNTS[-1] if name in columns}
        return Confusions(names=self.names, counts=counts, of_masks=of_masks)


def evaluation_key(run: str, weights_sha256: str, data: str, task: Mapping[str, Any]) -> str:
    """16 hex digits over all that decides an evaluation.

    The weights are among it, since a run that was damaged and trained anew on another kind of
    device may have others under the same key.

    Args:
        run: The run's key.
        weights_sha256: Of its trained weights.
        data: The digest of the images, as they are read.
        task: What decides the counts besides the masks.
    """
    return digest_of(
        {
            "run": run,
            "weights": weights_sha256,
            "data": data,
            "task": task,
            "version": EVALUATION_VERSION,
        }
    )[:16]


class Evaluations:
    """The evaluations in the folder of one run.

    Args:
        run: The run's folder.
    """

    def __init__(self, run: Path) -> None:
        """Touches nothing."""
        self._run = run
        self.path = run / FOLDER

    def path_of(self, key: str) -> Path:
        """The file of an evaluation, there or not."""
        return self.path / f"{key}.json"

    def names(self) -> list[str]:
        """The keys of those that are there, sorted; other files are passed over.

        Raises:
            StoreError: If there is a link in place of the folder.
        """
        documents.check_folders(self.path)
        try:
            found = [path.stem for path in self.path.iterdir() if _NAME.fullmatch(path.name)]
        except (FileNotFoundError, NotADirectoryError):
            return []
        return sorted(found)

    def read(self, key: str) -> Evaluation | None:
        """An evaluation; None where there is none.

        Raises:
            StoreError: If it cannot be read, was changed after it was written, or is another's.
        """
        documents.check_folders(self.path)
        path = self.path_of(key)
        content = documents.content_if_there(path, REPAIR)
        if content is None:
            return None
        document = documents.decode(content, str(path), REPAIR)
        found = documents.from_content(Evaluation, content, str(path), REPAIR)
        if sealing.own_digest(document) != found.sha256:
            raise StoreError(f"{path} was changed after it was written", REPAIR)
        # Of an older version, the key cannot be computed any more.
        if found.run != self._run.name or (
            found.version == EVALUATION_VERSION and found.key != key
        ):
            raise StoreError(f"{path} is an evaluation of {found.run} named {found.key}", REPAIR)
        return found

    def publish(self, evaluation: Evaluation) -> None:
        """Writes it, sealed with its own digest, unless another process was faster.

        Raises:
            OSError: If it cannot be written, or the run's folder is gone.
            StoreError: If there is a link in place of the folder.
        """
        atomic.require_folder(self._run)
        documents.check_folders(self._run, self.path)
        document = json.loads(evaluation.model_dump_json())
        sealed = evaluation.model_copy(update={"sha256": sealing.own_digest(document)})
        atomic.publish(self.path_of(evaluation.key), (sealed.model_dump_json() + "\n").encode())

    def set_damaged_aside(
        self, key: str, contradictions: Callable[[Evaluation], list[str]]
    ) -> str | None:
        """Moves an evaluation that cannot be believed into ``evaluations/damaged-N``.

        Args:
            key: Of the evaluation.
            contradictions: What one says otherwise than its own pixels; empty where all agrees.

        Returns:
            What the user should know; None: there is none, or nothing is wrong with it.

        Raises:
            StoreClosed: If it is not damaged, and yet cannot be read.
        """
        try:
            found = self.read(key)
            wrong = contradictions(found) if found else []
        except StoreClosed:
            raise
        except StoreError as error:
            wrong = [error.parts[0]]
        if not wrong:
            return None
        with suppress(FileNotFoundError):
            records.set_aside(self.path_of(key))
        return f"{self.path_of(key)} is damaged, set aside and computed anew: {wrong[0]}"

    def add(self, others: "Evaluations", weights_sha256: str) -> None:
        """Adds those of the same weights in another store that are not here.

        Args:
            others: Of the same run.
            weights_sha256: Of the trained weights that are here.

        Raises:
            StoreError: If one of the others cannot be read.
        """
        for key in others.names():
            if not os.path.lexists(self.path_of(key)):
                found = others.read(key)
                if found is not None and found.weights_sha256 == weights_sha256:
                    self.publish(found)
