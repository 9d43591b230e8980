"""Counts of parameters are made once and remembered in the store."""

from pathlib import Path
from typing import Any

import pytest

from ablate import executors
from ablate.runs import Parameters, Store
from ablate.runs.remembered import recall, remember
from ablate.spec import Context
from ablate.study.parameters import count_for_report
from tiny_sweeps import start_table4


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The names of what was counted, call by call; the counts are made up."""
    made: list[list[str]] = []

    def call(function: str, wanted: dict[str, Any]) -> dict[str, Parameters]:
        assert function == "ablate.study.parameters:count_all"
        made.append(sorted(wanted))
        return {
            key: Parameters(total=1, trainable=1, adapter=0, sites=index)
            for index, key in enumerate(wanted)
        }

    monkeypatch.setattr(executors, "call_with_torch", call)
    return made


def test_a_second_report_counts_nothing(
    tmp_path: Path, context: Context, calls: list[list[str]]
) -> None:
    store = Store(start_table4(tmp_path / "store", context))
    (record,) = store.sweep_records()
    first = count_for_report(record, store)
    assert count_for_report(record, store) == first
    assert len(calls) == 1
    assert set(calls[0]) == set(first)
    assert len(first) >= 5


def test_only_what_is_missing_is_counted(
    tmp_path: Path, context: Context, calls: list[list[str]]
) -> None:
    store = Store(start_table4(tmp_path / "store", context))
    (record,) = store.sweep_records()
    count_for_report(record, store)
    path = store.cache_path / "parameters.json"
    content = recall(path)
    removed = sorted(content["parameters"])[0]
    del content["parameters"][removed]
    remember(path, content)
    count_for_report(record, store)
    assert calls[1:] == [[removed]]


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"stamp": "other", "parameters": {}}'])
def test_a_broken_or_older_cache_is_made_anew(
    tmp_path: Path, context: Context, calls: list[list[str]], text: str
) -> None:
    store = Store(start_table4(tmp_path / "store", context))
    (record,) = store.sweep_records()
    first = count_for_report(record, store)
    (store.cache_path / "parameters.json").write_text(text)
    assert count_for_report(record, store) == first
    assert len(calls) == 2
