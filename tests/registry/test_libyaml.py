"""Files are read alike, to the word of each message, with libyaml and without it."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ablate.errors import SpecError
from ablate.registry import shipped, yaml_reader
from ablate.registry.source import Place

pytestmark = pytest.mark.skipif(
    yaml_reader._LIBYAML is None, reason="PyYAML was built without libyaml"
)

_CHARACTERS = "ab-:?{}[],'\"#|>%\\ \n\té…😀\r\x07\x85\u2028\ufeff"
_WORDS = (
    *(
        "- ",
        ": ",
        "? ",
        ", ",
        " #x",
        "|-",
        "|#",
        ">-\n  ",
        "&a ",
        "*a",
        "!!str ",
        "<<: ",
        "---",
        "...",
    ),
    *("null", "0x1", "1.5", "yes", "k: v\n", "x: [1, 2]\n", "y: {a: 1}\n", "''", '""', '"a":1'),
    *("\n  ", "\n    ", "\n---\n", "\n- ", "\n? a\n: b\n", "\\u263a"),
)
_PIECES = st.sampled_from([*_CHARACTERS, *_WORDS])
_FILES = [
    path.read_text(encoding="utf-8")
    for folder in ("variants", "sweeps", "reports/published")
    for path in sorted(shipped(folder).rglob("*.yaml"))
]


def _place(line: int) -> Place:
    return Place("file", line)


def _outcome(read: Callable[[], tuple[Any, Any]]) -> object:
    try:
        value, places = read()
    except SpecError as error:
        return error.problems
    # As text: 1, 1.0 and True are equal.
    return repr(value), places


def _check(text: str) -> None:
    reader = yaml_reader._Reader(text, _place)
    expected = _outcome(lambda: (reader.value(), reader.places))
    assert _outcome(lambda: yaml_reader._parsed(text, _place)) == expected


@given(st.lists(_PIECES, max_size=15).map("".join))
def test_any_text(text: str) -> None:
    _check(text)
    _check(text + "\n")


@given(st.data())
def test_any_change_of_a_shipped_file(data: st.DataObject) -> None:
    text = data.draw(st.sampled_from(_FILES))
    place = data.draw(st.integers(0, len(text)))
    left_out = data.draw(st.integers(0, 20))
    _check(text[:place] + data.draw(_PIECES) + text[place + left_out :])


@pytest.mark.parametrize(
    "text",
    [
        "a: {k: v\n? }\n",
        "a: [b?c]\n",
        "a: |# no comment\n",
        "a: 1\t",
        "---",
        "a: 'x\u2028y'\n",
        "a: \ufeffb\n",
        "a: yes\n",
        "a: 1\na: 2\n",
        "a: [1, 2\n",
    ],
)
def test_where_libyaml_differs(text: str) -> None:
    _check(text)


def test_shipped_files_are_read_with_libyaml(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(yaml_reader._Reader.__init__, "__defaults__", (None,))
    for text in _FILES:
        if "?" not in text:
            yaml_reader._parsed(text, _place)
