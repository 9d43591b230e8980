"""Mistakes that show in the headers of files are found before any file is read as a whole."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

from ablate.data import open_images, verify
from ablate.errors import DataError
from ablate.runs import FileDigests
from ablate.spec import FoldersData, Landslide4SenseData

Writer = Callable[..., Path]


def folders(**declared: Any) -> FoldersData:
    return FoldersData(kind="folders", images="images", masks="masks", **declared)


@pytest.fixture
def undecoded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Decoding a pixel, or reading a file for its digest, is an error."""

    def refuse(*_: object) -> None:
        raise AssertionError("a file was read as a whole")

    for name in ("ablate.data.reading.decode", "ablate.data.masks.decode"):
        monkeypatch.setattr(name, refuse)
    for name in ("ablate.data.reading.read_tiff", "ablate.data.masks.read_tiff"):
        monkeypatch.setattr(name, refuse)
    monkeypatch.setattr(FileDigests, "of", refuse)


def replace(root: Path, name: str, write: Callable[[Path], object], kind: str = "images") -> None:
    """Puts another file in place of one of the last pair."""
    (path,) = (root / kind).glob("c.*")
    path.unlink()
    write(root / kind / name)


def _tiff(path: Path, dtype: str = "uint16", bands: int = 4) -> None:
    values = np.ones((9, 12, bands), dtype)
    tifffile.imwrite(path, values, photometric="minisblack", planarconfig="contig")


DEFECTS: tuple[tuple[str, str, Callable[[Path], object], str], ...] = (
    ("c.png", "images", lambda path: path.write_bytes(b"<html>"), "cannot be read as an image"),
    ("c.tif", "images", lambda path: path.write_bytes(b"II*\0\1"), "cannot be read as an image"),
    ("c.png", "images", Image.new("RGB", (11, 9)).save, "has 12×9 pixels, its image 11×9"),
    ("c.png", "images", Image.new("I;16", (12, 9)).save, "has 1 band of uint16"),
    ("c.jpg", "images", Image.new("CMYK", (12, 9)).save, "is in the colours CMYK"),
    ("c.tif", "images", _tiff, "has 4 bands of uint16"),
    ("c.tif", "images", lambda path: _tiff(path, "float64", 3), "has 3 bands of float64"),
    ("c.png", "masks", Image.new("L", (12, 10)).save, "has 12×10 pixels, its image 12×9"),
    ("c.jpg", "masks", Image.new("L", (12, 9)).save, "is a JPEG"),
    ("c.tif", "masks", _tiff, "has 4 bands of uint16"),
    ("c.png", "masks", lambda path: path.write_bytes(b""), "cannot be read as an image"),
)


@pytest.mark.usefixtures("undecoded")
@pytest.mark.parametrize(("name", "kind", "write", "message"), DEFECTS)
def test_no_file_is_decoded_before_all_headers_pass(
    tmp_path: Path,
    write_pairs: Writer,
    name: str,
    kind: str,
    write: Callable[[Path], object],
    message: str,
) -> None:
    write_pairs(tmp_path)
    replace(tmp_path, name, write, kind)
    with pytest.raises(DataError, match=message):
        verify(open_images(folders(), tmp_path), None)


@pytest.mark.parametrize(
    ("declared", "message"),
    [
        ({"bands": (0, 1, 4)}, "has 4 bands, counted from 0; the protocol declares band 4"),
        ({"bands": (0, 1, 2)}, "has 4 bands of uint16"),
        ({"scale": {"kind": "linear", "low": 0, "high": 9}}, "has 4 bands of uint16"),
    ],
)
@pytest.mark.usefixtures("undecoded")
def test_declared_bands_are_looked_up_in_the_header(
    tmp_path: Path, write_pairs: Writer, declared: dict[str, Any], message: str
) -> None:
    write_pairs(tmp_path)
    replace(tmp_path, "c.tif", _tiff)
    data = FoldersData.model_validate(folders().model_dump() | declared)
    images = open_images(data, tmp_path)
    with pytest.raises(DataError, match=f"c.tif {message}"):
        images.check_header(2)  # type: ignore[attr-defined]


def test_an_orientation_may_exchange_the_sides(tmp_path: Path, write_pairs: Writer) -> None:
    write_pairs(tmp_path)
    exif = Image.Exif()
    exif[0x0112] = 6
    replace(
        tmp_path, "c.jpg", lambda path: Image.new("RGB", (9, 12), (1, 1, 1)).save(path, exif=exif)
    )
    verify(open_images(folders(), tmp_path), None)
    replace(tmp_path, "c.png", Image.new("RGB", (9, 12)).save)
    with pytest.raises(DataError, match=r"c\.png has 12×9 pixels, its image 9×12"):
        verify(open_images(folders(), tmp_path), None)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "PA", "RGB", "RGBA", "I;16", "I", "F"])
@pytest.mark.parametrize("declared", [{}, {"bands": (0, 0, 0)}, {"scale": None}])
def test_headers_refuse_nothing_that_is_read(
    tmp_path: Path, write_pairs: Writer, mode: str, declared: dict[str, Any]
) -> None:
    write_pairs(tmp_path)
    if "scale" in declared:
        declared = {"scale": {"kind": "linear", "low": 0, "high": 9}}
    replace(tmp_path, "c.tif", Image.new(mode, (12, 9)).save)
    data = FoldersData.model_validate(folders().model_dump() | declared)
    images = open_images(data, tmp_path)
    outcomes = []
    for look in (images.check_header, images.load):  # type: ignore[attr-defined]
        try:
            look(2)
            outcomes.append("read")
        except DataError as error:
            outcomes.append(str(error))
    assert outcomes[0] == outcomes[1]


@pytest.mark.usefixtures("undecoded")
def test_arrays_of_hdf5_are_declared_before_they_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    h5py = pytest.importorskip("h5py")
    monkeypatch.setattr("ablate.data.hdf5.read_array", None)
    for kind in ("img", "mask"):
        (tmp_path / "TrainData" / kind).mkdir(parents=True)
    for number, shape in ((1, (128, 128, 14)), (2, (128, 128, 3))):
        with h5py.File(tmp_path / f"TrainData/img/image_{number}.h5", "w") as file:
            file["img"] = np.zeros(shape)
        with h5py.File(tmp_path / f"TrainData/mask/mask_{number}.h5", "w") as file:
            file["mask"] = np.zeros((128, 128))
    data = Landslide4SenseData(kind="landslide4sense", scale=25.5)
    with pytest.raises(DataError, match=r"image_2\.h5 has the shape 128×128×3, not 128×128×14"):
        verify(open_images(data, tmp_path), None)
