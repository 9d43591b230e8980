"""Exports: a trained run as a folder that needs no store, and how it is read again.

README.md             the model card, with the front matter of Hugging Face's hub
ablate-export.json    the version of this form, and what the weights belong to
stac-item.json        the model as an Item of a STAC catalogue; see ``stac``
protocol.yaml         the recipe: image size, normalisation, task, split
variant.yaml          what is inserted into SAM and what is trained
weights.safetensors   the trained parameters only
model.onnx            on request: the whole model as a graph; see ``onnx_export``
sam_merged.pth        on request: the whole model in SAM's own layout; see ``merged_sam``
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
import yaml
from pydantic import Field, TypeAdapter, ValidationError

from ablate.data.plain import check_free
from ablate.data.scaling import Ranges
from ablate.errors import BadInput, StoreError
from ablate.predict.loading import assemble_models
from ablate.predict.stac import STAC_FILE, stac_item
from ablate.predict.trained import TrainedModel
from ablate.runs import atomic, plain_files
from ablate.runs.new_folder import new_folder
from ablate.spec import Context, DataIdentity, Frozen, Protocol, RunSpec, Variant, WeightsIdentity
from ablate.spec.resnet import ResNetName
from ablate.spec.run import ResNetIdentity

FORMAT = 1
"""Raised by one whenever an export changes its form."""

MANIFEST = "ablate-export.json"
CARD = "README.md"
_PROTOCOL, _VARIANT, _WEIGHTS = "protocol.yaml", "variant.yaml", "weights.safetensors"
_MOST_TEXT_BYTES = 2**22
_MOST_WEIGHTS_BYTES = 2**34
_REPAIR = "export the model again"


class Manifest(Frozen):
    """``ablate-export.json``.

    Attributes:
        format: The form of the export; see ``FORMAT``.
        ablate: The version of ablate that wrote it.
        name: The variant's name.
        key: The run's key.
        seed: The run's seed.
        split: The number of the run's split.
        data: The images that it was trained on.
        weights: The SAM that the trained weights belong to.
        resnets: What the ResNets of CNN baselines start from.
        engine: The version of the engine that trained it.
        ranges: The percentiles of the training images, where the data declare any.
        ground_m: Metres that a pixel of the model's square was wide in training; None: not known.
        files: SHA-256 of the files beside it, by name; the card is for its reader to change.
    """

    format: int = Field(ge=1)
    ablate: str
    name: str
    key: str
    seed: int
    split: int
    data: DataIdentity
    weights: WeightsIdentity
    resnets: dict[ResNetName, ResNetIdentity]
    engine: int
    ranges: Ranges | None
    ground_m: float | None = Field(default=None, gt=0)
    files: dict[str, str]


@contextmanager
def new_export(target: Path) -> Iterator[Path]:
    """A folder that becomes the export when the block ends, and leaves nothing if it does not.

    Args:
        target: The folder to make.

    Yields:
        A folder beside it, to write the files into.

    Raises:
        DataError: If the target exists, or the folder that it is to lie in does not.
        StoreError: If it cannot be written.
    """
    check_free(target)
    try:
        with new_folder(target) as partial:
            yield partial
            for path in partial.iterdir():
                atomic.sync_file(path)
            check_free(target)
    except OSError as error:
        reason = error.strerror or error
        raise StoreError(
            f"{target} cannot be written ({reason})", "check permissions and space, or name another"
        ) from error


def write_export(
    folder: Path,
    spec: RunSpec,
    key: str,
    weights: bytes,
    ranges: Ranges | None,
    card: str,
    ground_m: float | None,
) -> None:
    """Writes what every export has, and names all files that are in the folder by then.

    Args:
        folder: Of ``new_export``; files of other forms of the model may be in it.
        spec: The run.
        key: Its key.
        weights: Its ``weights.safetensors``.
        ranges: The percentiles of its training images, where the data declare any.
        card: The model card.
        ground_m: Metres that a pixel of the model's square was wide in training; None: not known.

    Raises:
        OSError: If it cannot be written.
    """
    contents = {
        _VARIANT: _yaml(spec.variant.model_dump(mode="json")),
        _PROTOCOL: _yaml(spec.context.protocol.model_dump(mode="json")),
        _WEIGHTS: weights,
    }
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    digests = {path.name: _sha256(path) for path in sorted(folder.iterdir())}
    sized = {name: (digest, (folder / name).stat().st_size) for name, digest in digests.items()}
    item = json.dumps(stac_item(spec, key, sized), indent=2, ensure_ascii=False)
    (folder / STAC_FILE).write_text(f"{item}\n", encoding="utf-8")
    manifest = Manifest(
        format=FORMAT,
        ablate=version("ablate"),
        name=spec.name,
        key=key,
        seed=spec.seed,
        split=spec.split,
        data=spec.context.data,
        weights=spec.context.weights,
        resnets=spec.context.resnets,
        engine=spec.context.engine,
        ranges=ranges,
        ground_m=ground_m,
        files={**digests, STAC_FILE: _sha256(folder / STAC_FILE)},
    )
    (folder / MANIFEST).write_text(f"{manifest.model_dump_json(indent=2)}\n", encoding="utf-8")
    (folder / CARD).write_text(card, encoding="utf-8")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _yaml(document: Mapping[str, Any]) -> bytes:
    return yaml.safe_dump(dict(document), sort_keys=False, allow_unicode=True).encode()


def load_export(folder: Path, checkpoint: Path | None, device: torch.device) -> TrainedModel:
    """The model of an export.

    Args:
        folder: The export.
        checkpoint: SAM's weights; None where the model needs none.
        device: Where it is to compute.

    Raises:
        BadInput: If the folder is no export, one of another version, or damaged.
        WeightsError: If the checkpoint is missing, not needed, or another than the one that the
            weights were trained on.
    """
    manifest, contents = _read(folder)
    spec = RunSpec(
        name=manifest.name,
        variant=_of_yaml(TypeAdapter(Variant), contents[_VARIANT], folder / _VARIANT),
        context=Context(
            protocol=_of_yaml(TypeAdapter(Protocol), contents[_PROTOCOL], folder / _PROTOCOL),
            data=manifest.data,
            weights=manifest.weights,
            resnets=manifest.resnets,
            engine=manifest.engine,
        ),
        seed=manifest.seed,
        split=manifest.split,
    )
    files = [(folder / _WEIGHTS, contents[_WEIGHTS])]
    model = assemble_models([spec], files, [manifest.ranges], checkpoint, device)[0]
    return replace(model, ground_m=manifest.ground_m)


def _read(folder: Path) -> tuple[Manifest, dict[str, bytes]]:
    """The manifest and the files that it names, compared with their digests."""
    path = folder / MANIFEST
    if not path.is_file():
        raise BadInput(
            f"{folder} is not an export of ablate: it has no {MANIFEST}",
            "make one with `ablate export`",
        )
    try:
        document = json.loads(plain_files.read_bytes(path, _MOST_TEXT_BYTES))
        form = document["format"]
        if form != FORMAT:
            raise BadInput(
                f"{folder} is an export of form {form!r:.20}; this ablate reads form {FORMAT}",
                "export the model again, or use the ablate that it names"
                if isinstance(form, int) and form < FORMAT
                else "update ablate",
            )
        manifest = Manifest.model_validate_json(json.dumps(document))
    except (OSError, ValueError, LookupError, TypeError, RecursionError) as error:
        raise BadInput(f"{path} is damaged", _REPAIR) from error
    contents = {}
    for name in (_VARIANT, _PROTOCOL, _WEIGHTS):
        most = _MOST_WEIGHTS_BYTES if name == _WEIGHTS else _MOST_TEXT_BYTES
        try:
            content = plain_files.read_bytes(folder / name, most)
        except OSError as error:
            raise BadInput(
                f"{folder / name} cannot be read ({error.strerror or error})", _REPAIR
            ) from error
        if hashlib.sha256(content).hexdigest() != manifest.files.get(name):
            raise BadInput(f"{folder / name} is not the file that {MANIFEST} names", _REPAIR)
        contents[name] = content
    return manifest, contents


def _of_yaml(adapter: TypeAdapter[Any], content: bytes, path: Path) -> Any:
    try:
        # By way of JSON: the specs take its arrays for tuples.
        return adapter.validate_json(json.dumps(yaml.safe_load(content)))
    except (yaml.YAMLError, ValidationError, ValueError, TypeError) as error:
        raise BadInput(f"{path} cannot be read by this ablate", _REPAIR) from error
