"""Data sets of the layouts that a protocol can declare."""

import json
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from PIL import Image

from ablate.data import open_images
from ablate.data.splitting import parts
from ablate.errors import BadInput
from ablate.spec import Protocol

PARTS = ("one", "two", "three")


def write_declared(root: Path) -> None:
    """Parts, lists called by the images of ``one`` that they name, groups, and COCO files."""
    write_parts(root / "parts")
    write_coco(root / "one.json", 5)
    write_coco(root / "two.json", 7)
    write_coco(root / "all.json", 5, "abcd")
    for name, sides in (("pairs", "xyxy"), ("others", "xxyy")):
        groups = [
            f"{part}/{letter},{side}"
            for part in PARTS
            for letter, side in zip("abcd", sides, strict=True)
        ]
        (root / f"{name}.csv").write_text("\n".join(groups))
    for name in ("ab", "a", "c", "cd"):
        (root / f"{name}.txt").write_text("\n".join(f"one/{letter}" for letter in name))


def divided(protocol: Protocol) -> tuple[object, ...] | str:
    """The images of each part, or why they cannot be told."""
    with TemporaryDirectory() as root:
        write_declared(Path(root))
        images = open_images(protocol.data, Path(root))
        try:
            indices = parts(images.names, protocol.split, Path(root))
        except BadInput as error:
            return str(error).replace(root, "")
    return tuple([images.names[index] for index in part] for part in indices)


def write_parts(root: Path) -> None:
    """Images and masks of two kinds in one folder for each part."""
    for seed, part in enumerate(PARTS):
        (root / part).mkdir(parents=True)
        random = np.random.default_rng(seed)
        for name in ("a.bmp", "b.bmp", "c.bmp", "d.bmp", "a.webp", "b.webp", "c.webp", "d.webp"):
            pixels = random.integers(0, 256, (12, 9, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(root / part / name)
            mask = (pixels[..., 0] > 127).astype(np.uint8) * 255
            kind = "label" if name.endswith(".bmp") else "other"
            Image.fromarray(mask).save(root / part / f"{name[0]}_{kind}.png")


def write_coco(path: Path, corner: int, names: str = "a") -> None:
    """A triangle of the one category and one of the other, in the images of every layout."""
    content = {
        "categories": [{"id": 1, "name": "slide"}, {"id": 2, "name": "rock"}],
        "images": [
            {"id": number, "file_name": f"{name}.png", "width": 9, "height": 12}
            for number, name in enumerate(names, start=1)
        ],
        "annotations": [
            {"image_id": 1, "category_id": number, "segmentation": [polygon]}
            for number, polygon in ((1, [0, 0, corner, 0, 0, corner]), (2, [9, 12, 9, 4, 1, 12]))
        ],
    }
    path.write_text(json.dumps(content))
