import json
import os
import unicodedata
from collections.abc import Callable
from pathlib import Path

import pytest

from ablate.data import detect, open_images
from ablate.errors import DataError
from ablate.spec import CocoData, FoldersData

Writer = Callable[..., Path]
BY_STEM = FoldersData(kind="folders", images="images", masks="masks")
BY_PATTERN = FoldersData(kind="folders", images="images", masks="masks", image="{stem}.png")
LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"
ANNEX = b"/annex/objects/SHA256E-s123--aa.png\n"


@pytest.fixture(params=[BY_STEM, BY_PATTERN], ids=["stems", "patterns"])
def data(request: pytest.FixtureRequest) -> FoldersData:
    return request.param


def refusal(data: FoldersData | CocoData, root: Path) -> str:
    with pytest.raises(DataError) as caught:
        open_images(data, root)
    line = str(caught.value)
    assert "\n" not in line
    line.encode()
    return line


@pytest.mark.parametrize("folder", ["images", "masks"])
@pytest.mark.parametrize(
    ("content", "tool", "repair"),
    [(LFS, "Git LFS", "run git lfs pull"), (ANNEX, "git-annex", "run git annex get {path}")],
)
def test_pointers_are_refused_by_name(
    tmp_path: Path,
    write_pairs: Writer,
    data: FoldersData,
    folder: str,
    content: bytes,
    tool: str,
    repair: str,
) -> None:
    path = write_pairs(tmp_path) / folder / "b.png"
    path.write_bytes(content)
    line = refusal(data, tmp_path)
    assert line == f"{path} is a pointer of {tool}, not the file itself; {repair.format(path=path)}"


@pytest.mark.parametrize(
    ("target", "repair"),
    [
        ("../.git/annex/objects/Xx/Yy/SHA256E-s1--a.png", "run git annex get {path}"),
        ("/cache/files/md5/ab/cdef", "run dvc pull"),
        ("../.dvc/cache/ab/cdef", "run dvc pull"),
        ("elsewhere.png", "restore what it names, or remove the link"),
    ],
)
def test_links_to_nothing_are_refused_by_name(
    tmp_path: Path, write_pairs: Writer, data: FoldersData, target: str, repair: str
) -> None:
    root = write_pairs(tmp_path)
    for folder in ("images", "masks"):  # both: else the pair would be refused as incomplete
        path = root / folder / "b.png"
        path.unlink()
        path.symlink_to(target)
    path = root / "images/b.png"
    line = refusal(data, root)
    assert line == (
        f"{path} is a link to {target}, which does not exist; {repair.format(path=path)}"
    )


def test_links_to_files_are_followed(
    tmp_path: Path, write_pairs: Writer, data: FoldersData
) -> None:
    root = write_pairs(tmp_path)
    before = open_images(data, root).digest()
    path = root / "images/b.png"
    path.rename(tmp_path / "kept")
    path.symlink_to(tmp_path / "kept")
    assert open_images(data, root).digest() == before


def test_files_that_dvc_keeps_elsewhere(
    tmp_path: Path, write_pairs: Writer, data: FoldersData
) -> None:
    root = write_pairs(tmp_path)
    for folder in ("images", "masks"):
        (root / folder / "c.png.dvc").write_text("outs:\n- path: c.png\n")
    assert open_images(data, root).names == ("a", "b", "c")
    for folder in ("images", "masks"):
        (root / folder / "c.png").unlink()
    path = root / "images/c.png"
    line = refusal(data, root)
    assert line == f"{path} was never fetched, there is only c.png.dvc; run dvc pull"


def test_folders_that_dvc_keeps_elsewhere(tmp_path: Path, write_pairs: Writer) -> None:
    root = write_pairs(tmp_path / "set")
    (root / "masks").rename(tmp_path / "gone")
    (root / "masks.dvc").touch()
    expected = rf"{root}/masks was never fetched, there is only masks\.dvc; run dvc pull"
    for action in (lambda: detect(root), lambda: open_images(BY_STEM, root)):
        with pytest.raises(DataError, match=expected):
            action()
    (tmp_path / "whole.dvc").touch()
    with pytest.raises(DataError, match=r"whole was never fetched"):
        detect(tmp_path / "whole")
    (tmp_path / "link").symlink_to("nowhere")
    with pytest.raises(DataError, match="link is a link to nowhere, which does not exist"):
        detect(tmp_path / "link")


def test_pipes_are_refused_and_do_not_hang(
    tmp_path: Path, write_pairs: Writer, data: FoldersData
) -> None:
    root = write_pairs(tmp_path)
    os.mkfifo(root / "images/x.png")
    assert refusal(data, root) == (
        f"{root / 'images/x.png'} is not a regular file; replace or remove it"
    )


@pytest.mark.parametrize(
    ("name", "shown"), [(b"h\xe4ng", r"h\xe4ng"), (b"a\nb", r"a\nb"), (b"\xe4\x1b[2J", r"\x1b[2J")]
)
def test_names_that_cannot_be_written_are_refused(
    tmp_path: Path, write_pairs: Writer, data: FoldersData, name: bytes, shown: str
) -> None:
    root = write_pairs(tmp_path / "set")
    for folder in ("images", "masks"):
        (root / folder / "b.png").rename(root / folder / f"{os.fsdecode(name)}.png")
    line = refusal(data, root)
    assert shown in line
    assert "; rename it" in line


def test_a_data_folder_that_is_not_utf8_is_refused(tmp_path: Path, write_pairs: Writer) -> None:
    root = write_pairs(tmp_path / "set").rename(tmp_path / os.fsdecode(b"l\xe4"))
    assert r"/l\xe4 is not UTF-8; rename it" in refusal(BY_STEM, root)
    with pytest.raises(DataError, match="is not UTF-8"):
        detect(root)


def test_names_are_compared_in_one_normal_form(
    tmp_path: Path, write_pairs: Writer, data: FoldersData
) -> None:
    composed, decomposed = (unicodedata.normalize(form, "café") for form in ("NFC", "NFD"))
    root = write_pairs(tmp_path, (composed, "x"))
    digest = open_images(data, root).digest()
    for folder in ("masks", "images"):
        (root / folder / f"{composed}.png").rename(root / folder / f"{decomposed}.png")
        again = open_images(data, root)
        assert again.names == (composed, "x")
        assert again.digest() == digest
    write_pairs(tmp_path, (composed,))
    assert "keep one of them" in refusal(data, root)


def test_images_of_outlines_that_were_never_fetched(tmp_path: Path, write_pairs: Writer) -> None:
    data = CocoData(kind="coco", images="images", annotations="a.json")
    write_pairs(tmp_path, ("a",))
    entry = {"id": 1, "height": 9, "width": 12}
    document = {"annotations": [], "categories": [{"id": 1, "name": "x"}]}

    def refused(name: str) -> str:
        text = json.dumps(document | {"images": [entry | {"file_name": name}]})
        (tmp_path / "a.json").write_text(text)
        return refusal(data, tmp_path)

    path = tmp_path / "images/a.png"
    path.write_bytes(LFS)
    assert (
        refused("a.png") == f"{path} is a pointer of Git LFS, not the file itself; run git lfs pull"
    )
    path.unlink()
    path.symlink_to("nowhere")
    assert "is a link to nowhere, which does not exist" in refused("a.png")
    for name in ("\ud800.png", "\udce4.png"):
        assert "is not UTF-8" in refused(name)
