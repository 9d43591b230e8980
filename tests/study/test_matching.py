"""Equal numbers of parameters: which value is found, how near it comes, and what is refused."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from ablate import Study, executors
from ablate.errors import SpecError
from ablate.models import count
from ablate.registry import Catalogue, shipped
from ablate.runs import Store
from ablate.runs.remembered import recall
from ablate.spec import Match, SamVariant
from ablate.study.matching import match_rows, match_variant, nearest
from ablate.study.report import declared_rows, report_sweep
from tiny_sweeps import OVERRIDES


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("variants", "sweeps"):
        (tmp_path / name).mkdir()
    return tmp_path


def variant(folder: Path, name: str, text: str) -> None:
    (folder / "variants" / f"{name}.yaml").write_text(text)


def sweep(folder: Path, text: str, **words: Any) -> Study:
    head = "title: t\nprotocol: demo\nseeds: [0]\n"
    (folder / "sweeps" / "mine.yaml").write_text(head + text)
    return Study("mine", store=folder / "store", devices=["cpu"], overrides=OVERRIDES, **words)


# The search -------------------------------------------------------------------------------


def recorded(counts: Callable[[int], int | None]) -> tuple[list[int], Callable[[int], int | None]]:
    asked: list[int] = []

    def counted(value: int) -> int | None:
        asked.append(value)
        return counts(value)

    return asked, counted


@pytest.mark.parametrize("start", [1, 2, 37, 500])
@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (100, (10, 100)),
        (104, (10, 100)),
        (119, (11, 121)),
        (2, (1, 1)),
        (0, (1, 1)),
        (10**6, (1000, 10**6)),
        (10**9, (1000, 10**6)),
    ],
)
def test_the_nearest_value_is_found_from_any_start(
    start: int, wanted: int, expected: tuple[int, int]
) -> None:
    asked, counted = recorded(lambda value: value**2 if 1 <= value <= 1000 else None)
    assert nearest(counted, start, wanted) == expected
    assert len(asked) < 60


def test_of_two_equally_near_values_the_smaller_is_taken() -> None:
    assert nearest(lambda value: 10 * value if value > 0 else None, 1, 25) == (2, 20)


def test_only_odd_values_are_tried_where_only_they_are_valid() -> None:
    _, counted = recorded(lambda value: value**2 if value % 2 and 0 < value < 256 else None)
    assert nearest(counted, 3, 140) == (11, 121)


@pytest.mark.parametrize("counts", [lambda value: 5, lambda value: 100 - value, {3: 3}.get])
def test_a_field_that_does_not_add_parameters_is_refused(counts: Any) -> None:
    with pytest.raises(ValueError, match="does not change"):
        nearest(counts, 3, 50)


# On modules -------------------------------------------------------------------------------


@pytest.mark.parametrize("backbone", ["vit_nano", "vit_l"])
def test_no_other_width_comes_nearer(folder: Path, backbone: Any) -> None:
    variant(folder, "mine", "extends: translandseg-1\nmatch: {parameters: translandseg-d24}\n")
    catalogue = Catalogue()
    found, row = match_variant("mine", catalogue, backbone)
    assert row is not None
    wanted = count(catalogue.variant("translandseg-d24"), backbone).adapter
    assert (row.wanted, row.reached) == (wanted, count(found, backbone).adapter)
    declared = catalogue.variant("mine")
    assert isinstance(declared, SamVariant)
    for width in (row.value - 1, row.value + 1):
        other = count(declared.matched(width), backbone).adapter
        assert abs(other - wanted) > abs(row.reached - wanted)


def test_the_shipped_sweep_evens_out_the_ten_structures(folder: Path) -> None:
    study = Study("table4-matched", store=folder / "store", protocol="demo", devices=["cpu"])
    plan = study.plan().plan
    assert [run.spec.name for run in plan.runs] == list(Catalogue().sweep("table4").variants)
    assert plan.matched.keys() == {run.spec.name for run in plan.runs}
    assert all(abs(each.difference_percent) < 6 for each in plan.matched.values())
    counts = {count(run.spec.variant, "vit_nano").adapter for run in plan.runs}
    assert max(counts) < 1.12 * min(counts)
    # What is run is the variant of that width and nothing else.
    (m1,) = (run.spec for run in plan.runs if run.spec.name == "translandseg")
    wide = m1.model_copy(update={"variant": Catalogue().variant("translandseg-d24")})
    assert m1.key == wide.key
    assert not (folder / "store").exists()


@pytest.mark.parametrize("backbone", ["vit_nano", "vit_l"])
def test_the_four_structures_after_su_sam_have_equally_many_parameters(backbone: Any) -> None:
    pytest.importorskip("peft")
    catalogue = Catalogue()
    decoder_only, *rows = catalogue.sweep("su-sam").variants
    variants = [match_variant(row, catalogue, backbone)[0] for row in rows]
    *bottlenecks, lora = (count(variant, backbone).adapter for variant in variants)
    assert len(set(bottlenecks)) == 1
    assert abs(lora / bottlenecks[0] - 1) < 0.01
    assert count(catalogue.variant(decoder_only), backbone).adapter == 0


def test_a_chain_of_matches_is_followed(folder: Path) -> None:
    variant(folder, "one", "extends: translandseg-4\nmatch: {parameters: translandseg-d24}\n")
    variant(folder, "two", "extends: translandseg-2\nmatch: {parameters: one}\n")
    first, reached = (match_variant(name, Catalogue(), "vit_nano")[1] for name in ("one", "two"))
    assert first is not None
    assert reached is not None
    assert reached.wanted == first.reached != first.wanted


def test_another_field_can_be_varied(folder: Path) -> None:
    variant(folder, "goal", "extends: translandseg-1\nadapter: {kernel_size: 7}\n")
    text = "extends: translandseg-1\nmatch: {parameters: goal, field: adapter.kernel_size}\n"
    variant(folder, "mine", text)
    found, row = match_variant("mine", Catalogue(), "vit_nano")
    assert row is not None
    assert (row.field, row.value) == ("adapter.kernel_size", 7)
    assert isinstance(found, SamVariant)
    assert found.adapter.kernel_size == 7  # type: ignore[union-attr]


def test_the_rank_of_a_peft_method_can_be_varied(folder: Path) -> None:
    pytest.importorskip("peft")
    variant(
        folder,
        "mine",
        "extends: lora\nadapter: {rank: 4}\n"
        "match: {parameters: translandseg-d24, field: adapter.rank}\n",
    )
    found, row = match_variant("mine", Catalogue(), "vit_nano")
    assert row is not None
    # A rank of q and v in each of four blocks: 2 · (96 + 96) parameters.
    assert (row.value, row.reached) == (14, 4 * 14 * 2 * 192)
    assert count(found, "vit_nano").adapter == row.reached


# Sweeps -----------------------------------------------------------------------------------


def test_a_sweeps_match_is_that_of_every_row_that_has_none(folder: Path) -> None:
    variant(folder, "own", "extends: translandseg-2\nmatch: {parameters: translandseg}\n")
    (folder / "sweeps" / "mine.yaml").write_text(
        "title: t\nprotocol: demo\nseeds: [0]\n"
        "variants: [translandseg-1, translandseg-d24, decoder-only, pspnet, own]\n"
        "match: {parameters: translandseg-d24}\n"
    )
    rows = Catalogue().rows("mine", "vit_l")
    assert {name: getattr(row, "match", None) for name, row in rows.items()} == {
        "translandseg-1": Match(parameters="translandseg-d24"),
        "translandseg-d24": None,
        "decoder-only": None,
        "pspnet": None,
        "own": Match(parameters="translandseg"),
    }
    found = match_rows(rows, Catalogue(), "vit_l", Store(folder / "store"))
    assert list(found.rows) == list(rows)
    assert found.matched.keys() == {"translandseg-1", "own"}
    assert all(getattr(row, "match", None) is None for row in found.rows.values())


def test_factors_are_matched_too(folder: Path) -> None:
    study = sweep(
        folder,
        "base: translandseg\nfactors: {adapter.midlays: [[m], [c, c, c]]}\n"
        "match: {parameters: translandseg-d24}\n",
    )
    widths = [run.spec.variant.adapter.width for run in study.plan().plan.runs]  # type: ignore[union-attr]
    assert widths == [24, 11]


def test_what_is_counted_is_remembered_by_the_store(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = sweep(folder, "variants: [translandseg-1]\nmatch: {parameters: translandseg-d24}\n")
    (folder / "store").mkdir()
    first = study.plan().plan
    cache = recall(folder / "store/cache/parameters.json")
    assert len(cache["parameters"]) > 3
    monkeypatch.setattr(executors, "call_with_torch", None)
    assert study.plan().plan.matched == first.matched


def test_sweeps_without_a_match_count_nothing(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(executors, "call_with_torch", None)
    plan = sweep(folder, "variants: [translandseg-1]\n").plan().plan
    assert plan.matched == {}


# Reports ----------------------------------------------------------------------------------


def run(study: Study) -> Store:
    study.run()
    return Store(study.request.store)


def test_the_report_says_how_near_each_row_came_and_counts_nothing(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "variants: [translandseg-4, pspnet]\nmatch: {parameters: translandseg-d24}\n"
    study = sweep(folder, text, variants=["translandseg-4"], track=False)
    store = run(study)
    monkeypatch.setattr(executors, "call_with_torch", None)
    (record,) = store.sweep_records()
    reported = report_sweep(record, store)
    report = reported.report
    (row,) = report.matched
    assert (row.name, row.target, row.value) == ("translandseg-4", "translandseg-d24", 22)
    assert (row.wanted, row.reached) == (21_312, 21_416)
    assert row.difference == pytest.approx(0.488, abs=1e-3)
    page = reported.render()
    assert "## Equal numbers of parameters" in page
    assert not any(each.is_changed for each in report.rows)
    assert next(each for each in report.rows).structure["width"] == 22


@pytest.mark.parametrize("changed", ["row", "target", "match"])
def test_a_row_whose_match_is_declared_otherwise_has_changed(folder: Path, changed: str) -> None:
    variant(folder, "goal", "extends: translandseg\nadapter: {width: 24}\n")
    variant(folder, "one", "extends: translandseg-4\nmatch: {parameters: goal}\n")
    store = run(sweep(folder, "variants: [one]\n", track=False))
    (record,) = store.sweep_records()
    as_run = {each.name: each.variant for each in record.runs}
    assert declared_rows(record) == as_run
    if changed == "row":
        variant(folder, "one", "extends: translandseg-5\nmatch: {parameters: goal}\n")
    elif changed == "target":
        variant(folder, "goal", "extends: translandseg\nadapter: {width: 25}\n")
    else:
        variant(folder, "one", "extends: translandseg-4\n")
    rows: Mapping[str, Any] = declared_rows(record)
    assert rows["one"].identity("vit_nano") != as_run["one"].identity("vit_nano")


def test_a_sweep_that_is_gone_marks_no_matched_row_as_changed(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "variants: [translandseg-4]\nmatch: {parameters: translandseg-d24}\n"
    store = run(sweep(folder, text, track=False))
    (record,) = store.sweep_records()
    variant(folder, "translandseg-d24", "extends: missing\n")
    assert declared_rows(record) == {}


# What is refused --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("match", "problem"),
    [
        ("{parameters: translandsg}", "mine.yaml:2: no variant is called 'translandsg'; did you"),
        ("{parameters: mine}", "mine.yaml:2: `match` forms a cycle: mine → mine; remove"),
        ("{parameters: other}", "`match` forms a cycle: mine → other → mine; remove one of them"),
        (
            "{parameters: translandseg, field: adapter.rank}",
            "match.field adapter.rank is not a whole number of this variant; declare the one where "
            "the search begins, or name one of adapter.width, adapter.kernel_size",
        ),
        ("{parameters: translandseg, field: adapter.residual}", "is not a whole number"),
        ("{parameters: translandseg, field: adapter.width.x}", "is not a whole number"),
        ("{parametres: translandseg}", "unknown key 'match.parametres'; did you mean"),
    ],
)
def test_a_match_that_cannot_be_is_one_line_of_the_catalogue(
    folder: Path, match: str, problem: str
) -> None:
    variant(folder, "mine", f"extends: translandseg-1\nmatch: {match}\n")
    variant(folder, "other", "extends: translandseg-2\nmatch: {parameters: mine}\n")
    with pytest.raises(SpecError) as refused:
        Catalogue().variant("mine")
    (line,) = [line for line in refused.value.problems if "missing" not in line]
    assert problem in line


def test_an_unknown_target_of_a_sweep_is_named_with_its_line(folder: Path) -> None:
    study = sweep(folder, "variants: [translandseg-1]\nmatch: {parameters: translandsg}\n")
    with pytest.raises(SpecError, match=r"mine\.yaml:5: no variant is called 'translandsg'"):
        study.plan()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            "variants: [translandseg-1]\nmatch: {parameters: translandseg}\n",
            r"variant translandseg-1: match: adapter\.width 2 gives 2,432 parameters in adapters, "
            r"nearest to the 1,952 of translandseg \(\+24\.6 %\), more than 10 % off; match a",
        ),
        (
            "variants: [translandseg-1]\nmatch: {parameters: decoder-only}\n",
            "decoder-only has no parameters in adapters that could be matched; name a variant",
        ),
        (
            "variants: [translandseg-1]\nmatch: {parameters: pspnet}\n",
            "pspnet has no parameters in adapters",
        ),
        (
            "variants: [translandseg-4]\n"
            "match: {parameters: translandseg, field: adapter.kernel_size}\n",
            r"adapter\.kernel_size does not change the number of parameters; name a field",
        ),
        (
            "base: translandseg\nfactors: {adapter.width: [4, 8]}\n"
            "match: {parameters: translandseg-d24}\n",
            "width=4 and width=8 train exactly the same thing once they have equal numbers",
        ),
    ],
)
def test_what_cannot_come_near_is_one_line_before_anything_starts(
    folder: Path, text: str, problem: str
) -> None:
    study = sweep(folder, text)
    for step in (study.plan, study.run):
        with pytest.raises(SpecError, match=problem):
            step()
    assert not (folder / "store").exists()


def test_every_row_that_cannot_come_near_is_named(folder: Path) -> None:
    study = sweep(
        folder, "variants: [translandseg-1, translandseg-2]\nmatch: {parameters: translandseg}\n"
    )
    with pytest.raises(SpecError) as refused:
        study.plan()
    assert [line.split(":")[0] for line in refused.value.problems] == [
        "variant translandseg-1",
        "variant translandseg-2",
    ]


def test_a_match_changes_no_key_of_the_shipped_variants() -> None:
    for name in named(shipped("variants")):
        variant = Catalogue().variant(name)
        if isinstance(variant, SamVariant) and variant.match:
            # It has no key before its match is found: a run refuses it.
            assert name == "lora-as-houlsby"
        else:
            assert "match" not in variant.identity("vit_l")


def named(folder: Path) -> list[str]:
    return [path.stem for path in folder.glob("*.yaml")]
