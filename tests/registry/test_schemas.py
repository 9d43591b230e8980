"""The JSON Schemas that editors check the YAML files by, and the page of all keys."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft7Validator

from ablate.registry import read, shipped
from scripts.document_keys import PAGE, page
from scripts.spec_schema import SPECS, attributes_of
from scripts.write_schemas import FOLDER, schema_text

FILES = {
    "variant": sorted(shipped("variants").glob("*.yaml")),
    "sweep": sorted(shipped("sweeps").glob("*.yaml")),
    "protocol": sorted(shipped("sweeps/protocols").glob("*.yaml")),
}
SHIPPED = [(what, path) for what, paths in FILES.items() for path in paths]


def problems(what: str, content: Any) -> list[str]:
    schema = json.loads((FOLDER / f"{what}.json").read_text(encoding="utf-8"))
    return [error.json_path for error in Draft7Validator(schema).iter_errors(content)]


def content_of(path: Path, **changes: Any) -> dict[str, Any]:
    return read(path).value | changes


@pytest.mark.parametrize("what", SPECS)
def test_the_schemas_are_up_to_date(what: str) -> None:
    written = (FOLDER / f"{what}.json").read_text(encoding="utf-8")
    assert written == schema_text(what), "run python -m scripts.write_schemas"


@pytest.mark.parametrize("what", SPECS)
def test_the_schemas_are_draft_7(what: str) -> None:
    text = schema_text(what)
    schema = json.loads(text)
    assert schema["$schema"] == "http://json-schema.org/draft-07/schema#"
    Draft7Validator.check_schema(schema)
    for word in ("$defs", "prefixItems", "discriminator"):
        assert f'"{word}"' not in text


@pytest.mark.parametrize(("what", "path"), SHIPPED, ids=lambda value: getattr(value, "stem", value))
def test_every_shipped_file_is_valid_and_names_its_schema(what: str, path: Path) -> None:
    assert problems(what, content_of(path)) == []
    first, *_ = path.read_text(encoding="utf-8").splitlines()
    location = first.removeprefix("# yaml-language-server: $schema=")
    assert (path.parent / location).resolve() == (FOLDER / f"{what}.json").resolve()


def variant(text: str) -> Any:
    return yaml.safe_load(text)


@pytest.mark.parametrize(
    "text",
    [
        "extends: translandseg",
        "{extends: translandseg, label: Mine}",
        "{extends: translandseg, adapter: {width: 4}}",
        "{extends: translandseg, adapter: {kind: none}, trained: [mask_decoder]}",
        "{extends: pspnet, architecture: unet}",
        "{extends: sam-everything, prompts: {points_per_side: 16}}",
        "{system: cnn, architecture: unet}",
        "{system: sam-zero-shot, prompts: {kind: interior-points}}",
    ],
)
def test_variants_that_people_write_are_valid(text: str) -> None:
    assert problems("variant", variant(text)) == []


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        "[]",
        "{name: mine, extends: translandseg}",
        "extends: ../translandseg",
        "{adapter: {width: 4}}",
        "{system: sam}",
        "{system: samm, adapter: {kind: none}, trained: [mask_decoder]}",
        "{system: cnn, architecture: unet, adapter: {kind: none}}",
        "{system: cnn, architecture: alexnet}",
        "{extends: translandseg, adapter: {widht: 4}}",
        "{extends: translandseg, adapter: {width: 0}}",
        "{extends: translandseg, adapter: {width: 99999999999}}",
        "{extends: translandseg, adapter: {width: two}}",
        "{extends: translandseg, adapter: {kind: atl2}}",
        "{extends: translandseg, adapter: {kind: atl-released, placement: inside}}",
        "{extends: translandseg, adapter: {midlays: [m, x]}}",
        "{extends: translandseg, adapter: {midlays: m}}",
        "{extends: translandseg, trained: []}",
        "{system: sam, adapter: {kind: atl, width: 2}, trained: [adapter]}",
        "{system: sam, adapter: {width: 2}, trained: [adapter]}",
        "{system: sam-zero-shot, prompts: {kind: everything, min_quality: 2}}",
    ],
)
def test_variants_that_break_rules_are_not(text: str) -> None:
    assert problems("variant", variant(text))


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"mean": [0.5, 0.5]}, "$.mean"),
        ({"mean": [0.5, 0.5, 0.5, 0.5]}, "$.mean"),
        ({"mean": [0.5, 0.5, "a"]}, "$.mean[2]"),
        ({"std": [0.5, 0.5, 0]}, "$.std[2]"),
        ({"data": {"kind": "bijiee"}}, "$.data.kind"),
        ({"data": {"kind": "bijie", "count": 3}}, "$.data"),
        ({"data": {"kind": "generated", "seed": 1, "count": 10**9, "size_px": 64}}, "$.data.count"),
        ({"data": {"kind": "generated", "seed": 1}}, "$.data"),
        ({"split": {"kind": "holdout", "seed": 1, "validation_share": 0.3}}, "$.split"),
        ({"color_jitter": {"hue": 0.1}}, "$.color_jitter"),
        ({"image_size_px": 100}, "$.image_size_px"),
        ({"task": {"metrics": ["miou"]}}, "$.task"),
        ({"overrides": ["epochs=3"]}, "$"),
    ],
    ids=str,
)
def test_protocols_that_break_rules_are_not(changes: dict[str, Any], place: str) -> None:
    demo = shipped("sweeps/protocols") / "demo.yaml"
    assert place in problems("protocol", content_of(demo, **changes))


@pytest.mark.parametrize(
    ("changes", "valid"),
    [
        ({"data": {"count": 8}}, True),
        ({"split": {"rounding": "floor"}}, True),
        ({"optimizer": {"lr": 1e-3}}, True),
        ({"color_jitter": {"hue": 0.1}}, True),
        ({"data": {"cuont": 8}}, False),
        ({"split": {"rounding": "up"}}, False),
        ({"mean": [0.5, 0.5]}, False),
    ],
    ids=str,
)
def test_a_protocol_that_extends_another_gives_some_keys(
    changes: dict[str, Any], valid: bool
) -> None:
    assert (problems("protocol", {"extends": "demo"} | changes) == []) == valid


@pytest.mark.parametrize(
    "changes",
    [
        {"seeds": []},
        {"seeds": [2**32]},
        {"seeds": ["a"]},
        {"grid": {"adapter.width": [2]}},
        {"factors": {"adapter.width": 2}},
        {"comparisons": [{"claim": "C", "better": "a"}]},
        {"comparisons": [{"claim": "C", "better": "a", "worse": []}]},
    ],
    ids=str,
)
def test_sweeps_that_break_rules_are_not(changes: dict[str, Any]) -> None:
    table4 = shipped("sweeps") / "table4.yaml"
    assert problems("sweep", content_of(table4, **changes))
    # A list replaces the other file's, so what stands in it is complete.
    assert problems("sweep", {"extends": "table4"} | changes)


def test_the_page_of_keys_is_up_to_date() -> None:
    written = PAGE.read_text(encoding="utf-8")
    assert written == page(), "run python -m scripts.document_keys"


def test_a_docstrings_attributes_are_read_over_several_lines() -> None:
    class Sample:
        """First line.

        Attributes:
            one: A text; None: none.
            two: Begins here
                and ends ``here``.
        """

    assert attributes_of(Sample) == {
        "one": "A text; `null`: none.",
        "two": "Begins here and ends `here`.",
    }
