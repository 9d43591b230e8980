"""``schemas/report.json``: the published form of ``ablate report --format json``."""

import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from ablate.report import Report, render
from scripts.write_schemas import FOLDER, report_schema_text


@pytest.fixture
def schema() -> dict[str, Any]:
    content: dict[str, Any] = json.loads((FOLDER / "report.json").read_text(encoding="utf-8"))
    return content


def problems(schema: dict[str, Any], tree: Any) -> list[str]:
    return [error.json_path for error in Draft202012Validator(schema).iter_errors(tree)]


def test_the_schema_is_up_to_date() -> None:
    """``python -m scripts.write_schemas`` writes it."""
    assert (FOLDER / "report.json").read_text(encoding="utf-8") == report_schema_text()


def test_the_schema_is_one(schema: dict[str, Any]) -> None:
    Draft202012Validator.check_schema(schema)
    assert schema["$defs"]["Row"]["properties"]["name"]["description"] == "The variant's name."


def test_reports_are_valid(schema: dict[str, Any], report: Report, five: Report) -> None:
    for each in (report, five):
        assert problems(schema, json.loads(render(each, "json"))) == []


def test_what_is_not_a_report_is_found(schema: dict[str, Any], report: Report) -> None:
    tree = json.loads(render(report, "json"))
    tree["rows"][0]["scores"]["miou"]["mean"] = "88.1"
    del tree["rows"][1]["name"]
    tree["schema_version"] = 1
    assert sorted(problems(schema, tree)) == [
        "$.rows[0].scores.miou.mean",
        "$.rows[1]",
        "$.schema_version",
    ]
