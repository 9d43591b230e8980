import os
from pathlib import Path

import pytest

from ablate.errors import StoreError
from ablate.runs import Store, panel_names, shown, unwritable

PLAIN = ["df001", "滑坡" * 41, "a b", "a%2Fb", "été", "x" * 251]
ODD = ["滑坡" * 42, "a/b", ".hidden", "..", "", "\udce4", "\ud800", "a\nb", "x" * 252, "/"]


def test_panels_are_called_as_their_images() -> None:
    assert panel_names(PLAIN) == [f"{name}.png" for name in PLAIN]


def test_every_name_gets_a_file_of_its_own(tmp_path: Path) -> None:
    files = panel_names([*PLAIN, *ODD])
    for name in files:
        (tmp_path / name).write_bytes(b"")
        assert not name.startswith(".")
    assert len(list(tmp_path.glob("[!.]*.png"))) == len(files) == len(set(files))
    assert files[: len(PLAIN)] == panel_names(PLAIN)


def test_names_that_differ_in_case_or_normal_form_alone_get_different_files() -> None:
    names = ["A", "a", "b", "\u00e9", "e\u0301"]
    files = panel_names(names)
    assert len({name.casefold() for name in files}) == len(names)
    assert files[2] == "b.png"
    assert files == list(reversed(panel_names(names[::-1])))


@pytest.mark.parametrize(
    ("name", "line"),
    [("滑坡", "滑坡"), ("h\udce4ng", r"h\xe4ng"), ("\ud800", r"\ud800"), ("a\n\x1b", r"a\n\x1b")],
)
def test_any_name_is_shown_as_one_line(name: str, line: str) -> None:
    assert shown(name) == line
    assert (unwritable(Path(name)) is None) == (name == line)


def test_a_store_whose_path_is_not_utf8_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"/s\\xe4 is not UTF-8; rename it, or name another$"):
        Store(tmp_path / os.fsdecode(b"s\xe4"))
