"""Every mistake in a file gets one line with file, line, value and repair."""

from pathlib import Path

import pytest

from ablate.errors import SpecError
from ablate.registry import Catalogue, shipped


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "variants").mkdir()
    (tmp_path / "sweeps" / "protocols").mkdir(parents=True)
    return tmp_path


def catalogue(folder: Path) -> Catalogue:
    return Catalogue(
        [folder / "variants", shipped("variants")], [folder / "sweeps", shipped("sweeps")]
    )


def problems(folder: Path, text: str) -> list[str]:
    """What is said of a variant with this text, without the path before the file's name."""
    (folder / "variants" / "mine.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(SpecError) as caught:
        catalogue(folder).variant("mine")
    return [problem.rpartition("variants/")[2] for problem in caught.value.problems]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "extends: translandseg\nadapter: {placement: outsde}\n",
            "mine.yaml:2: adapter.placement is 'outsde'; did you mean 'outside'?",
        ),
        (
            "extends: translandseg\nadapter:\n  residul: true\n",
            "mine.yaml:3: unknown key 'adapter.residul'; did you mean 'residual'?",
        ),
        (
            "extends: translandseg\nwidth: 3\n",
            "mine.yaml:2: unknown key 'width'; "
            "use one of adapter, backbone, encoder_weights, label, system, trained",
        ),
        (
            "extends: translandseg\nadapter: {width: two}\n",
            "mine.yaml:2: adapter.width is 'two'; it must be valid integer",
        ),
        (
            "extends: translandseg\nadapter: {kernel_size: 2}\n",
            "mine.yaml:2: adapter.kernel_size: 2 is even; an odd side keeps the size of the map",
        ),
        (
            "extends: translandseg\nadapter: {midlays: [c], width: 1}\n",
            "mine.yaml:2: adapter: a LayerNorm over 1 channel is constant; "
            "MidLay c needs width 2 or more",
        ),
        (
            "extends: translandseg\nadapter: {kind: atl2}\n",
            "mine.yaml:2: adapter.kind is 'atl2'; did you mean 'atl'?",
        ),
        (
            "extends: translandseg\nadapter: {width: 2}\nadapter: {width: 3}\n",
            "mine.yaml:3: key 'adapter' stands twice (first on line 2); remove one",
        ),
        (
            "extends: ../translandseg\n",
            "mine.yaml:1: extends is '../translandseg'; give a variant's name, not a path",
        ),
        (
            "extends: translandsegg\n",
            "mine.yaml:1: no variant is called 'translandsegg'; did you mean 'translandseg'?",
        ),
        (
            "extends: translandseg\ntrained: [mask_decoder]\n",
            "mine.yaml:1: an adapter that is not in trained stays random and ablates nothing",
        ),
        ("- a\n", "mine.yaml: holds no mapping; write `key: value` lines"),
        (
            "extends: translandseg\nadapter: {width: .inf}\n",
            "mine.yaml:1: .inf and .nan are not allowed; give a finite number",
        ),
        ("name: me\n", "mine.yaml:1: 'name' is the file's own name; remove the key"),
    ],
)
def test_a_mistake_is_one_line(folder: Path, text: str, expected: str) -> None:
    assert problems(folder, text) == [expected]


def test_all_mistakes_of_a_file_at_once(folder: Path) -> None:
    text = "extends: translandseg\nadapter:\n  placement: outsde\n  widht: 2\ntrain: [adapter]\n"
    assert [line.partition(": ")[0] for line in problems(folder, text)] == [
        "mine.yaml:3",
        "mine.yaml:4",
        "mine.yaml:5",
    ]


def test_not_yaml_names_the_line(folder: Path) -> None:
    (line,) = problems(folder, "extends: translandseg\nadapter: {width: 2\n")
    assert line.startswith("mine.yaml:3: not YAML: ")


def test_a_circle_is_drawn(folder: Path) -> None:
    (folder / "variants" / "other.yaml").write_text("extends: mine\n")
    (line,) = problems(folder, "extends: other\n")
    assert line == "other.yaml:1: extends goes in a circle: mine → other → mine; break it"


def test_a_mistake_in_the_parent_is_shown_there(folder: Path) -> None:
    (folder / "variants" / "parent.yaml").write_text(
        "extends: translandseg\nadapter:\n  width: 0\n"
    )
    (line,) = problems(folder, "extends: parent\nlabel: Mine\n")
    assert line.startswith("parent.yaml:3: adapter.width is 0; ")


def test_the_child_hides_the_mistake_that_it_overrides(folder: Path) -> None:
    (folder / "variants" / "parent.yaml").write_text("extends: translandseg\nadapter: {width: 0}\n")
    (folder / "variants" / "mine.yaml").write_text("extends: parent\nadapter: {width: 4}\n")
    assert catalogue(folder).variant("mine").adapter.width == 4


def test_another_kind_takes_over_nothing(folder: Path) -> None:
    (folder / "variants" / "mine.yaml").write_text(
        "extends: translandseg\nadapter: {kind: none}\ntrained: [mask_decoder]\n"
    )
    assert catalogue(folder).variant("mine").adapter.model_dump() == {"kind": "none"}


def test_a_name_with_odd_letters_is_refused(folder: Path) -> None:
    (folder / "variants" / "my variant.yaml").write_text("extends: translandseg\n")
    with pytest.raises(SpecError, match="a name holds only letters"):
        catalogue(folder).variant("translandseg")


def test_two_variants_with_one_identity_are_reported(folder: Path) -> None:
    (folder / "variants" / "twin.yaml").write_text("extends: translandseg\nlabel: Twin\n")
    (problem,) = catalogue(folder).check()
    assert problem.endswith(
        "twin.yaml: translandseg and twin train exactly the same thing; "
        "change a field of one, or remove it"
    )


SWEEP = "title: T\nprotocol: demo\nseeds: [0]\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("variants: [translandseg, transland]\n", "mine.yaml:4: no variant is called 'transland'"),
        ("", "no rows: give variants, or base with grid or zip"),
        (
            "variants: [translandseg]\nbaseline: translandseg-1\n",
            "mine.yaml:5: 'translandseg-1' is no row of this sweep",
        ),
        (
            "base: translandseg\nfactors: {adapter.widht: [2, 4]}\n",
            "mine.yaml:5: unknown key 'adapter.widht'; did you mean 'width'?",
        ),
        (
            "base: translandseg\nzip: {adapter.width: [2, 4], adapter.residual: [true]}\n",
            "the lists of zip differ in length",
        ),
        (
            "base: translandseg\nfactors: {adapter.width: [2]}\nexclude: [{adapter.residual: true}]\n",
            "exclude names no factor: adapter.residual",
        ),
        ("variants: [translandseg]\nseeds: [1, 1]\n", "stands twice"),
    ],
)
def test_mistakes_in_a_sweep(folder: Path, text: str, expected: str) -> None:
    (folder / "sweeps" / "mine.yaml").write_text(SWEEP + text)
    with pytest.raises(SpecError) as caught:
        catalogue(folder).rows("mine", "vit_l")
    assert expected in str(caught.value)


def test_twins_in_a_sweep_are_refused(folder: Path) -> None:
    (folder / "variants" / "twin.yaml").write_text("extends: translandseg\nlabel: Twin\n")
    (folder / "sweeps" / "mine.yaml").write_text(SWEEP + "variants: [translandseg, twin]\n")
    with pytest.raises(SpecError, match="translandseg and twin train exactly the same thing"):
        catalogue(folder).rows("mine", "vit_l")


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("epochs=0", "--set epochs=0: epochs is 0; it must be greater than or equal to 1"),
        ("epoch=3", "--set epoch=3: unknown key 'epoch'; did you mean 'epochs'?"),
        ("epochs", "--set epochs: give KEY=VALUE, such as --set epochs=3"),
        ("epochs=[", "--set epochs=[: the value is not YAML; quote it"),
    ],
)
def test_mistakes_in_an_override(override: str, expected: str) -> None:
    with pytest.raises(SpecError) as caught:
        Catalogue().protocol("demo", [override])
    assert caught.value.problems == [expected]
