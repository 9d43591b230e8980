from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ablate.data.pairs import PairedFiles
from ablate.data.reading import SUFFIXES
from ablate.errors import BadInput, DataError

Writer = Callable[..., Path]


def opened(root: Path, digests: Path | None = None) -> PairedFiles:
    return PairedFiles("Test", root / "images", root / "masks", SUFFIXES, digests)


def test_names_are_sorted_as_whole_file_names(tmp_path: Path, write_pairs: Writer) -> None:
    names = ("a", "a-b", "10", "9", "a.b", "ä", "Z")
    images = opened(write_pairs(tmp_path, names))
    assert images.names == tuple(
        name.removesuffix(".png") for name in sorted(f"{name}.png" for name in names)
    )
    assert images.names.index("a-b") < images.names.index("a")  # stems would sort otherwise


def test_spaces_and_other_scripts_in_names(tmp_path: Path, write_pairs: Writer) -> None:
    names = ("毕节 滑坡 1", "обвал", "ravine – 2 (copy)")
    images = opened(write_pairs(tmp_path / "набор данных", names))
    assert set(images.names) == set(names)
    for index in range(3):
        image, mask = images.load(index)
        assert image.shape == (9, 12, 3)
        assert mask.shape == (9, 12)
        assert mask.any()
    assert len(images.digest()) == 64


def test_an_image_is_loaded_with_its_own_mask(tmp_path: Path, write_pairs: Writer) -> None:
    images = opened(write_pairs(tmp_path))
    assert [int(images.load(index)[1].sum()) for index in range(3)] == [3, 6, 9]
    np.testing.assert_array_equal(
        images.load(1)[0], np.asarray(Image.open(tmp_path / "images/b.png"))
    )


def test_the_mask_may_have_another_suffix_and_other_files_do_not_count(
    tmp_path: Path, write_pairs: Writer
) -> None:
    write_pairs(tmp_path)
    for name in ("a", "b", "c"):
        (tmp_path / f"images/{name}.png").rename(tmp_path / f"images/{name}.PNG")
        Image.open(tmp_path / f"masks/{name}.png").save(tmp_path / f"masks/{name}.tif")
        (tmp_path / f"masks/{name}.png").unlink()
    (tmp_path / "images/notes.txt").write_text("x")
    (tmp_path / "images/.hidden.png").write_text("x")
    (tmp_path / "masks/folder.png").mkdir()
    images = opened(tmp_path)
    assert images.names == ("a", "b", "c")
    assert images.load(2)[1].sum() == 9


def test_odd_ones_are_counted_and_named(tmp_path: Path, write_pairs: Writer) -> None:
    write_pairs(tmp_path, tuple("abcdef"))
    for name in "bcde":
        (tmp_path / f"masks/{name}.png").unlink()
    with pytest.raises(DataError, match=r"4 of 6 images in .* have no mask in .* \(b, c, d, …\);"):
        opened(tmp_path)
    for name in "bcde":
        (tmp_path / f"images/{name}.png").unlink()
    (tmp_path / "images/f.png").unlink()
    with pytest.raises(DataError, match=r"1 of 2 masks in .* have no image in .* \(f\); give"):
        opened(tmp_path)


def test_a_suffix_on_every_mask_is_one_line(tmp_path: Path, write_pairs: Writer) -> None:
    write_pairs(tmp_path, ("a",))
    (tmp_path / "masks/a.png").rename(tmp_path / "masks/a_mask.png")
    with pytest.raises(DataError, match=r"\(a\) and 1 of 1 masks .* \(a_mask\)") as caught:
        opened(tmp_path)
    assert "\n" not in str(caught.value)


def test_two_files_of_one_stem(tmp_path: Path, write_pairs: Writer) -> None:
    write_pairs(tmp_path)
    Image.new("RGB", (2, 2)).save(tmp_path / "images/b.jpg")
    with pytest.raises(DataError, match=r"images has b\.jpg and b\.png; keep one"):
        opened(tmp_path)


def test_folders_that_hold_nothing_of_use(tmp_path: Path, write_pairs: Writer) -> None:
    with pytest.raises(DataError, match=r"data folder .*images does not exist; check the path"):
        opened(tmp_path)
    (tmp_path / "images").mkdir()
    with pytest.raises(DataError, match=r"no images in .*images: it is empty; put .*\.png or"):
        opened(tmp_path)
    (tmp_path / "images/image_1.h5").write_text("x")
    with pytest.raises(DataError, match=r"no images in .*: it holds image_1\.h5;"):
        opened(tmp_path)


def test_a_mask_of_another_size(tmp_path: Path, write_pairs: Writer) -> None:
    write_pairs(tmp_path)
    Image.new("L", (12, 10)).save(tmp_path / "masks/b.png")
    with pytest.raises(DataError, match=r"masks/b\.png has 12×10 pixels, its image 12×9;"):
        opened(tmp_path).load(1)


def test_the_digest_follows_names_and_contents_alone(tmp_path: Path, write_pairs: Writer) -> None:
    first = opened(write_pairs(tmp_path / "one")).digest()
    assert opened(write_pairs(tmp_path / "two")).digest() == first

    (tmp_path / "two/masks/c.png").rename(tmp_path / "two/masks/d.png")
    (tmp_path / "two/images/c.png").rename(tmp_path / "two/images/d.png")
    renamed = opened(tmp_path / "two").digest()
    (tmp_path / "one/masks/b.png").write_bytes((tmp_path / "one/masks/c.png").read_bytes())
    changed_mask = opened(tmp_path / "one").digest()
    (tmp_path / "one/images/b.png").write_bytes((tmp_path / "one/images/c.png").read_bytes())
    changed_image = opened(tmp_path / "one").digest()
    assert len({first, renamed, changed_mask, changed_image}) == 4


def test_swapped_image_and_mask_folders_have_another_digest(
    tmp_path: Path, write_pairs: Writer
) -> None:
    write_pairs(tmp_path)
    swapped = PairedFiles("Test", tmp_path / "masks", tmp_path / "images", SUFFIXES, None)
    assert swapped.digest() != opened(tmp_path).digest()


def test_the_digest_of_a_vanished_file_is_an_error(tmp_path: Path, write_pairs: Writer) -> None:
    images = opened(write_pairs(tmp_path))
    (tmp_path / "masks/b.png").unlink()
    with pytest.raises(BadInput, match=r"b\.png cannot be read \(No such file or directory\)"):
        images.digest()
