"""YAML as people and programs write it: plain values by YAML 1.2, everything else one line."""

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ablate.errors import SpecError
from ablate.registry import Catalogue, read, shipped
from ablate.registry.source import Place
from ablate.registry.yaml_reader import MAX_DEPTH, MAX_FILE_BYTES, MAX_VALUES, parse_value


@pytest.fixture(autouse=True, scope="module")
def within_seconds() -> Iterator[None]:
    started = time.monotonic()
    yield
    assert time.monotonic() - started < 60


def problems(folder: Path, text: str | bytes) -> list[str]:
    """The problems of a file with this text, without the path before the file's name."""
    path = folder / "mine.yaml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    with pytest.raises(SpecError) as caught:
        read(path)
    return [problem.rpartition("/")[2] for problem in caught.value.problems]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2e-4", 2e-4),
        ("1.", 1.0),
        (".5", 0.5),
        ("-3", -3),
        ("+3", 3),
        ("0", 0),
        ("0.10", 0.1),
        ("true", True),
        ("False", False),
        ("~", None),
        ("", None),
        ("null", None),
        ("'yes'", "yes"),
        ('"010"', "010"),
        ("m.m", "m.m"),
        ("y", "y"),
        ("1.2.3", "1.2.3"),
        ("[1, a]", [1, "a"]),
        ("{a: {b: 1}}", {"a": {"b": 1}}),
    ],
)
def test_plain_values_are_those_of_yaml_1_2(tmp_path: Path, text: str, value: object) -> None:
    (tmp_path / "mine.yaml").write_text(f"x: {text}\n")
    found = read(tmp_path / "mine.yaml").value["x"]
    assert found == value
    assert type(found) is type(value)


MEANINGS = "means different things in YAML 1.1 and 1.2"


@pytest.mark.parametrize("word", ["yes", "No", "on", "OFF"])
def test_words_that_were_booleans_are_refused(tmp_path: Path, word: str) -> None:
    assert problems(tmp_path, f"a: 1\nx: {word}\n") == [
        f"mine.yaml:2: x: {word} {MEANINGS}; write true or false, or quote it if it is a text"
    ]


@pytest.mark.parametrize(
    "number", ["010", "-007", "1:30", "1_000", "0x1F", "0b11", "1_0.5", "1:3.5"]
)
def test_numbers_are_decimal(tmp_path: Path, number: str) -> None:
    assert problems(tmp_path, f"x: {{y: {number}}}\n") == [
        f"mine.yaml:1: x.y: {number} {MEANINGS}; "
        "write a decimal number, or quote it if it is a text"
    ]


@pytest.mark.parametrize("text", ["2024-01-01", "2024-13-45", "2001-12-14t21:59:43.10-05:00", "="])
def test_dates_are_refused(tmp_path: Path, text: str) -> None:
    assert problems(tmp_path, f"x: {text}\n") == [
        f"mine.yaml:1: x: {text} {MEANINGS}; quote it if it is a text"
    ]


@pytest.mark.parametrize(
    "tag", ["!!int abc", "!!float abc", "!!timestamp abc", "!!str 5", "!mine 5", "!!set {a}"]
)
def test_tags_are_refused(tmp_path: Path, tag: str) -> None:
    name = tag.partition(" ")[0]
    assert problems(tmp_path, f"x: {tag}\n") == [
        f"mine.yaml:1: x: the tag {name} is not supported; remove it, or quote the text"
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x: .inf\n", "1: x: .inf is not a finite number; give one"),
        ("x: -.Inf\n", "1: x: -.Inf is not a finite number; give one"),
        ("x: .nan\n", "1: x: .nan is not a finite number; give one"),
        ("x: 1e999\n", "1: x: 1e999 is too large for a number; give a smaller one"),
        (
            f"x: {'9' * 5000}\n",
            f"1: x: {'9' * 60}… (5,000 characters) is longer than 40 characters; "
            "give a shorter number",
        ),
        ("x: &x\n  y: *x\n", "2: x.y: the anchor &x holds itself; write the value out"),
        ("x: *x\n", "1: x: there is no anchor &x above; write the value out"),
        (
            "a: &a {b: 1}\nx:\n  <<: *a\n",
            "3: x: merge keys (<<) are not supported; write the keys out",
        ),
        ("a: 1\n'a': 2\n", "2: key 'a' appears twice (first on line 1); remove one"),
        ("[a]: 1\n", "1: a key must be a text; write `name: value`"),
        ("? {a: 1}\n: 1\n", "1: a key must be a text; write `name: value`"),
        ("? \n: 1\n", "1: a key must be a text; write `name: value`"),
        ("x: 1\n---\ny: 1\n", "2: a second document begins; keep one"),
        ('x: "a\\0b"\n', "1: x: holds the character U+0000; remove it"),
        ('x: "\\e[2J"\n', "1: x: holds the character U+001B; remove it"),
        ('x: "\\uD800"\n', "1: x: holds the character U+D800; remove it"),
        (b"a: 1\nx: \xff\n", "2: is not UTF-8 text; save it as UTF-8"),
        ("[" * 50_000, f"1: nested more than {MAX_DEPTH} deep; make it flatter"),
        ("x: " + "{a: " * 50_000, f"1: nested more than {MAX_DEPTH} deep; make it flatter"),
        (
            "".join(f"k{i}: 1\n" for i in range(MAX_VALUES)),
            f"{MAX_VALUES}: more than 5,000 values, aliases written out; shorten it",
        ),
    ],
    ids=lambda value: str(value)[:30],
)
def test_everything_else_is_one_line(tmp_path: Path, text: str | bytes, expected: str) -> None:
    assert problems(tmp_path, text) == [f"mine.yaml:{expected}"]


@pytest.mark.parametrize(
    "text", ["x: [1\n", "x: @a\n", "x: !a!b c\n", "\x00", "x: \x07\n", "a: b: c\n", "x: %a\n"]
)
def test_what_is_not_yaml_is_one_line(tmp_path: Path, text: str) -> None:
    (line,) = problems(tmp_path, text)
    assert line.startswith("mine.yaml")
    assert ": not YAML: " in line
    assert "\n" not in line


def test_all_problems_of_a_file_are_listed(tmp_path: Path) -> None:
    lines = problems(tmp_path, "a: yes\nb: !!int x\nc: 010\na: 2\n")
    assert [line.partition(": ")[0] for line in lines] == [
        "mine.yaml:1",
        "mine.yaml:2",
        "mine.yaml:3",
        "mine.yaml:4",
    ]


def test_an_alias_repeats_a_value(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("a: &a {b: [1, 2]}\nx: *a\n")
    document = read(tmp_path / "mine.yaml")
    assert document.value == {"a": {"b": [1, 2]}, "x": {"b": [1, 2]}}
    assert str(document.place(("x", "b", 0))).endswith("mine.yaml:2")


def test_an_aliased_mapping_is_laid_over_the_parents(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(
        "label: &label Mine\nextends: translandseg\nadapter: &adapter {width: 4}\n"
    )
    (tmp_path / "other.yaml").write_text(
        "extends: mine\nadapter: {midlays: &two [m, m]}\ntrained: [adapter]\n"
    )
    assert Catalogue([tmp_path, shipped("variants")]).variant("other").adapter.width == 4


def test_an_alias_bomb_is_one_line_in_a_file_and_in_an_override(tmp_path: Path) -> None:
    lists = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lists += [f"a{i}: &a{i} [" + ", ".join([f"*a{i - 1}"] * 9) + "]" for i in range(1, 10)]
    expected = "more than 5,000 values, aliases written out; shorten it"
    assert problems(tmp_path, "\n".join(lists)) == [f"mine.yaml:4: {expected}"]
    with pytest.raises(SpecError) as caught:
        Catalogue().protocol("demo", ["data={" + ", ".join(lists) + "}"])
    (line,) = caught.value.problems
    assert line.endswith(f"characters): {expected}")
    assert len(line) < 250


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    text = "#" * MAX_FILE_BYTES + "\nx: 1\n"
    assert problems(tmp_path, text) == ["mine.yaml: is larger than 256 KiB; shorten it"]


def test_pipes_folders_and_devices_are_not_opened(tmp_path: Path) -> None:
    (tmp_path / "variants").mkdir()
    os.mkfifo(tmp_path / "variants/pipe.yaml")
    (tmp_path / "variants/folder.yaml").mkdir()
    (tmp_path / "variants/device.yaml").symlink_to("/dev/zero")
    (tmp_path / "variants/gone.yaml").symlink_to(tmp_path / "nowhere")
    (tmp_path / "variants/odd.yaml").write_text("extends: translandseg\nlabel: !!int abc\n")
    catalogue = Catalogue([tmp_path / "variants", shipped("variants")])
    rule = "is not a file; remove it, or rename it without .yaml"
    assert [line.rpartition("/")[2] for line in catalogue.check()] == [
        f"device.yaml: {rule}",
        f"folder.yaml: {rule}",
        "gone.yaml: cannot be read: No such file or directory; repair or remove it",
        "odd.yaml:2: label: the tag !!int is not supported; remove it, or quote the text",
        f"pipe.yaml: {rule}",
    ]


def test_hidden_files_are_skipped(tmp_path: Path) -> None:
    """Emacs' locks, and what macOS leaves on shared disks."""
    (tmp_path / "mine.yaml").write_text("extends: translandseg\nadapter: {width: 3}\n")
    (tmp_path / ".#mine.yaml").symlink_to("user@host.1234:5678")
    (tmp_path / "._mine.yaml").write_bytes(b"\0\5\26\7")
    catalogue = Catalogue([tmp_path, shipped("variants")])
    assert catalogue.check() == []
    assert "mine" in catalogue.variant_files


def test_names_of_files_are_printed_on_one_line(tmp_path: Path) -> None:
    (tmp_path / "a\n\x1bb.yaml").write_text("x: 1\n")
    (line,) = Catalogue([tmp_path, shipped("variants")]).check()
    assert "a\\n\\x1bb.yaml: a name holds only" in line


_CHARACTERS = "&*!|>-?:,[]{}#%@`'\"~<= \n\taé70_.e\\\0"
_WORDS = ("a: ", "- ", "? ", "<<", "!!int", "&a ", "*a", "---\n", "...\n", "%YAML 1.1\n", "yes")
_FRAGMENTS = st.sampled_from([*_CHARACTERS, *_WORDS])


@settings(max_examples=400, deadline=None)
@given(st.lists(_FRAGMENTS, max_size=30).map("".join))
def test_any_text_is_a_plain_value_or_a_list_of_lines(text: str) -> None:
    lines: list[str] = []
    value = None
    try:
        value = parse_value(text, Place("--set x=…", 0))
    except SpecError as error:
        lines = error.problems
    assert all(line.startswith("--set x=…: ") and "\n" not in line for line in lines)
    json.dumps(value, allow_nan=False)


def test_as_many_unknown_keys_as_a_file_may_have_take_seconds(tmp_path: Path) -> None:
    keys = "".join(f"  k{number}: 1\n" for number in range(MAX_VALUES - 100))
    (tmp_path / "mine.yaml").write_text(f"extends: translandseg\nadapter:\n{keys}")
    started = time.monotonic()
    lines = Catalogue([tmp_path, shipped("variants")]).check()
    assert lines[-1].endswith("mine.yaml: and 4,850 more problems; fix these first")
    assert time.monotonic() - started < 20


def test_a_long_chain_of_extends_is_refused(tmp_path: Path) -> None:
    for number in range(500):
        (tmp_path / f"v{number}.yaml").write_text(f"extends: v{number + 1}\n")
    with pytest.raises(SpecError, match="a chain of more than 20 `extends`; shorten it"):
        Catalogue([tmp_path, shipped("variants")]).variant("v0")
