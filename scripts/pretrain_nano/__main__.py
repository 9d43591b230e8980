"""Pre-trains SAM-nano, evaluates it, and writes the file that the package ships.

From the repository's root:

    python -m scripts.pretrain_nano train --folder RUN
    python -m scripts.pretrain_nano evaluate RUN/nano.safetensors

``train`` continues what lies in its folder: killed and started again, it ends, on one CPU thread,
with the same weights bit for bit. On a GPU (``--device cuda``) it is seeded, but not exact.
"""

import argparse
import hashlib
import json
import sys
from dataclasses import fields
from pathlib import Path

import torch
from safetensors.torch import load_file, save
from segment_anything.modeling import Sam

from ablate.runs.atomic import replace
from scripts.pretrain_nano.evaluation import (
    held_out,
    landslides,
    mean_ious,
    smallest_of,
    with_objects_from,
)
from scripts.pretrain_nano.pool import kept, painted
from scripts.pretrain_nano.recipe import Recipe
from scripts.pretrain_nano.start import fresh
from scripts.pretrain_nano.training import Training

WEIGHTS = "nano.safetensors"

# Other seeds than the scenes' to train on.
_HELD_OUT_SEED = 1_000_001
_SCENES_SEED = 1
_STEPS = 16_000


def main() -> None:
    """Reads the command line and carries it out."""
    parser = argparse.ArgumentParser(prog="python -m scripts.pretrain_nano", description=__doc__)
    commands = parser.add_subparsers(required=True)
    train = commands.add_parser("train", help="train, or go on training")
    train.add_argument("--folder", type=Path, required=True, help="checkpoint, log and weights")
    train.add_argument("--pool", type=Path, help="folder of painted scenes; default: in --folder")
    train.add_argument("--scenes", type=int, default=12_000, help="scenes to train on")
    train.add_argument("--device", type=torch.device, default=torch.device("cpu"))
    for field in fields(Recipe):
        value = getattr(Recipe(_STEPS), field.name)
        train.add_argument(f"--{field.name.replace('_', '-')}", type=type(value), default=value)
    train.set_defaults(command=_train)
    evaluate = commands.add_parser("evaluate", help="mean IoU on unseen scenes")
    evaluate.add_argument(
        "weights", type=Path, nargs="?", help="default: what training starts from"
    )
    evaluate.add_argument("--scenes", type=int, default=300, help="of either domain")
    evaluate.set_defaults(command=_evaluate)
    options = parser.parse_args()
    torch.set_num_threads(1)
    options.command(options)


def _train(options: argparse.Namespace) -> None:
    recipe = Recipe(**{field.name: getattr(options, field.name) for field in fields(Recipe)})
    pool = kept(options.pool or options.folder / "pool", _SCENES_SEED, options.scenes)
    unseen = held_out(painted(_HELD_OUT_SEED, 64))
    training = Training(recipe, pool, options.folder, options.device)
    training.run(lambda sam: mean_ious(sam, unseen), evaluate_every=1000, save_every_s=60)
    _say({"weights": str(options.folder / WEIGHTS), **export(training.sam, options.folder)})


def export(sam: Sam, folder: Path) -> dict[str, str | int]:
    """Writes the whole SAM in the official layout, float32; returns its SHA-256 and size."""
    tensors = {name: value.detach().cpu().contiguous() for name, value in sam.state_dict().items()}
    content = save(tensors)
    replace(folder / WEIGHTS, content)
    return {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}


def _evaluate(options: argparse.Namespace) -> None:
    sam = fresh(seed=0)
    if options.weights is not None:
        sam.load_state_dict(load_file(options.weights), strict=True)
    source = held_out(painted(_HELD_OUT_SEED, options.scenes))
    target = landslides(options.scenes)
    # Landslides are few and large, and what is large is easily found.
    as_large = with_objects_from(smallest_of(target), source)
    _say({"source": mean_ious(sam, source)})
    _say({"source, as large as landslides": mean_ious(sam, as_large)})
    _say({"landslides": mean_ious(sam, target)})


def _say(entry: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(entry) + "\n")


if __name__ == "__main__":
    main()
