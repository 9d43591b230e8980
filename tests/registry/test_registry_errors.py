"""Every mistake in a spec is one line with file, line, value and repair."""

from pathlib import Path

import pytest

from ablate.errors import SpecError
from ablate.registry import Catalogue, shipped
from ablate.spec import Sweep


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
    """The problems of a variant with this text, without the path before the file's name."""
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
            "use one of adapter, backbone, encoder_weights, label, match, system, trained",
        ),
        (
            "extends: translandseg\nadapter: {width: two}\n",
            "mine.yaml:2: adapter.width is 'two'; it must be a valid integer",
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
            "mine.yaml:3: key 'adapter' appears twice (first on line 2); remove one",
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
        ("- a\n", "mine.yaml: is not a mapping; write `key: value` lines"),
        (
            "extends: translandseg\nadapter: {width: .inf}\n",
            "mine.yaml:2: adapter.width: .inf is not a finite number; give one",
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


def test_a_cycle_is_shown(folder: Path) -> None:
    (folder / "variants" / "other.yaml").write_text("extends: mine\n")
    (line,) = problems(folder, "extends: other\n")
    assert line == (
        "other.yaml:1: `extends` forms a cycle: mine → other → mine; remove one of them"
    )


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


def test_another_kind_inherits_nothing(folder: Path) -> None:
    (folder / "variants" / "mine.yaml").write_text(
        "extends: translandseg\nadapter: {kind: none}\ntrained: [mask_decoder]\n"
    )
    assert catalogue(folder).variant("mine").adapter.model_dump() == {"kind": "none"}


def test_a_file_whose_name_cannot_be_used_is_reported_and_stops_nothing_else(
    folder: Path,
) -> None:
    (folder / "variants" / "my variant.yaml").write_text("extends: translandseg\n")
    assert catalogue(folder).variant("translandseg").label == "TransLandSeg"
    (problem,) = catalogue(folder).check()
    assert "my variant.yaml: a name holds only letters" in problem


def test_two_variants_with_one_identity_are_reported(folder: Path) -> None:
    (folder / "variants" / "variant-copy.yaml").write_text("extends: translandseg\nlabel: Copy\n")
    (problem,) = catalogue(folder).check()
    assert problem.endswith(
        "variant-copy.yaml: translandseg and variant-copy train exactly the same thing; "
        "change a field of one, or remove it"
    )


def test_many_problems_of_one_file_are_cut(folder: Path) -> None:
    lines = problems(folder, "extends: translandseg\n" + "".join(f"k{i}: 1\n" for i in range(60)))
    assert len(lines) == 51
    assert lines[-1].endswith("mine.yaml: and 10 more problems; fix these first")


def test_long_values_and_keys_are_shortened(folder: Path) -> None:
    text = f"extends: translandseg\n{'k' * 900}: 1\nadapter: {{placement: {'x' * 900}}}\n"
    for line in problems(folder, text):
        assert "characters)" in line
        assert len(line) < 250


SWEEP = "title: T\nprotocol: demo\nseeds: [0]\n"


FACTORS = "base: translandseg\nfactors: {adapter.width: [2, 4]}\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "variants: [translandseg, transland]\n",
            "4: no variant is called 'transland'; did you mean 'translandseg'?",
        ),
        ("", "1: no rows: give variants, or base with factors or zip"),
        (
            "variants: [translandseg]\nbaseline: translandseg-1\n",
            "5: 'translandseg-1' is not a row of this sweep; did you mean 'translandseg'?",
        ),
        (
            "base: translandseg\nfactors: {adapter.widht: [2, 4]}\n",
            "5: unknown key 'adapter.widht'; did you mean 'width'?",
        ),
        (
            "base: translandseg\nfactors: {.width: [2, 4]}\n",
            "5: '.width' names no field; give its keys with dots between, as optimizer.lr",
        ),
        (
            "base: translandseg\nzip: {adapter.width: [2, 4], adapter.residual: [true]}\n",
            "1: the lists of zip differ in length",
        ),
        (
            FACTORS + "exclude: [{adapter.residual: true}]\n",
            "1: exclude: not a factor: adapter.residual",
        ),
        (
            FACTORS + "exclude: [{adapter.width: 3}]\n",
            "6: exclude matches no combination of factors; "
            "give values that the factors have, or remove it",
        ),
        (
            FACTORS + "exclude: [{adapter.width: 2}, {adapter.width: 4}]\n",
            "6: exclude removes every combination of factors; exclude fewer",
        ),
        (
            FACTORS + "exclude:\n  - {}\n",
            "6: exclude removes every combination of factors; exclude fewer",
        ),
        (
            "base: translandseg\nfactors: {adapter.width: [4, 4]}\n",
            "1: factor adapter.width lists 4 twice; list each once",
        ),
        (
            "base: translandseg\nfactors: {adapter.kernel_size: [3, 5]}\n",
            "5: kernel_size=3 and kernel_size=5 train exactly the same thing; "
            "change a field of one, or remove it",
        ),
        (
            "variants: [translandseg, translandseg]\n",
            '1: variants lists "translandseg" twice; list each once',
        ),
        (
            "variants: [translandseg]\npublished: tabel4\n",
            "5: no published table is called 'tabel4'; did you mean 'table4'?",
        ),
        (
            "variants: [translandseg]\npublished: table3\n",
            "5: published table 'table3' does not hold scores; name a table of scores",
        ),
        (
            "variants: [translandseg]\ncomparisons:\n"
            "  - {claim: C, better: translandseg, worse: [translandseg]}\n",
            "6: 'translandseg' is compared with itself; remove it from worse",
        ),
        (
            "variants: [translandseg, unet]\ncomparisons:\n"
            "  - {claim: C, better: translandseg, worse: [unet, unet]}\n",
            "6: worse lists 'unet' twice; list it once",
        ),
        (
            "variants: [translandseg, unet]\ncomparisons:\n"
            "  - {claim: C, better: unett, worse: [translandsegg]}\n",
            "6: 'unett' is not a row of this sweep; did you mean 'unet'?",
        ),
        (
            "base: translandseg\n"
            f"factors: {{adapter.width: {list(range(100))}, adapter.x: {list(range(30))}}}\n",
            "5: 3,000 combinations of factors, more than 1,000; give fewer values",
        ),
    ],
)
def test_mistakes_in_a_sweep_are_found_by_rows_and_by_check(
    folder: Path, text: str, expected: str
) -> None:
    (folder / "sweeps" / "mine.yaml").write_text(SWEEP + text)
    with pytest.raises(SpecError) as caught:
        catalogue(folder).rows("mine", "vit_l")
    assert caught.value.problems[0].rpartition("mine.yaml:")[2] == expected
    assert catalogue(folder).check() == caught.value.problems


def test_a_protocol_that_does_not_exist_is_found_by_rows_and_by_check(folder: Path) -> None:
    (folder / "sweeps" / "mine.yaml").write_text(
        "title: T\nprotocol: demp\nseeds: [0]\nvariants: [translandseg]\n"
    )
    with pytest.raises(SpecError) as caught:
        catalogue(folder).rows("mine", "vit_l")
    (problem,) = caught.value.problems
    assert problem.endswith("mine.yaml:2: no protocol is called 'demp'; did you mean 'demo'?")
    assert catalogue(folder).check() == [problem]


@pytest.mark.parametrize("label", ["TransLandSeg", "other"])
def test_two_rows_of_one_label_are_refused(folder: Path, label: str) -> None:
    """A row without a label prints its name."""
    (folder / "variants" / "mine.yaml").write_text(
        f"extends: translandseg\nlabel: {label}\nadapter: {{width: 3}}\n"
    )
    (folder / "variants" / "other.yaml").write_text("extends: translandseg\nadapter: {width: 5}\n")
    (folder / "sweeps" / "mine.yaml").write_text(
        SWEEP + "variants:\n  - translandseg\n  - other\n  - mine\n"
    )
    first = "translandseg" if label == "TransLandSeg" else "other"
    (problem,) = catalogue(folder).check()
    assert problem.endswith(
        f"mine.yaml:7: the label {label!r} appears twice, for {first} and mine; "
        "give each row its own label"
    )


def test_a_sweep_made_in_python_is_named_where_there_is_no_line() -> None:
    sweep = Sweep(
        name="mine",
        title="T",
        protocol="demo",
        seeds=(0,),
        variants=("translandseg",),
        baseline="unet",
    )
    with pytest.raises(SpecError) as caught:
        Catalogue().rows(sweep, "vit_l")
    assert caught.value.problems == [
        "sweep mine: 'unet' is not a row of this sweep; name one of its rows"
    ]


def test_duplicates_in_a_sweep_are_refused(folder: Path) -> None:
    (folder / "variants" / "variant-copy.yaml").write_text("extends: translandseg\nlabel: Copy\n")
    (folder / "sweeps" / "mine.yaml").write_text(SWEEP + "variants: [translandseg, variant-copy]\n")
    with pytest.raises(
        SpecError, match="translandseg and variant-copy train exactly the same thing"
    ):
        catalogue(folder).rows("mine", "vit_l")


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("epochs=0", "--set epochs=0: epochs is 0; it must be greater than or equal to 1"),
        ("epoch=3", "--set epoch=3: unknown key 'epoch'; did you mean 'epochs'?"),
        ("epochs", "--set epochs: give KEY=VALUE, such as --set epochs=3"),
        (
            "epochs=[",
            "--set epochs=[: not YAML: expected the node content, but found '<stream end>'; "
            "repair the syntax, or quote the text",
        ),
        (
            "epochs=2024-01-01",
            "--set epochs=2024-01-01: 2024-01-01 means different things in YAML 1.1 and 1.2; "
            "quote it if it is a text",
        ),
        (
            "published_split={train: 1, validation: 1}",
            "--set published_split={train: 1, validation: 1}: published_split cannot be set; "
            "write a protocol of your own that extends this one",
        ),
        (
            "name=paper",
            "--set name=paper: name cannot be set; "
            "write a protocol of your own that extends this one",
        ),
        ("a\nb", "--set a\\nb: give KEY=VALUE, such as --set epochs=3"),
        ("epochs=", "--set epochs=: epochs is null; it must be a valid integer"),
        (
            ".".join("abc" * 9) + "=1",
            "--set a.b.c.a.b.c.a.b.c.a.b.c.a.b.c.a.b.c.a.b.c.a.b.c.a.b.c=1: "
            "'a.b.c.a.b.c.a.b.c.a.b.c.a.b.c.a.b.c.a.b.c.a.b.c.a.b.c' names no field; "
            "give its keys with dots between, as optimizer.lr",
        ),
    ],
)
def test_mistakes_in_an_override(override: str, expected: str) -> None:
    with pytest.raises(SpecError) as caught:
        Catalogue().protocol("demo", [override])
    assert caught.value.problems == [expected]
