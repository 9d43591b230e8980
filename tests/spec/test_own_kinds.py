"""Looking for the adapters of other packages: only where it must be, and from anywhere."""

import os
from pathlib import Path

import pytest
from pydantic import TypeAdapter

from ablate.spec import Adapter, own_adapter

_ATL = '{"kind": "atl", "midlays": ["m"], "width": 2, "residual": true, "placement": "outside"}'


def test_no_package_is_asked_for_a_kind_of_ablates(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("packages were asked")

    monkeypatch.setattr(own_adapter, "_entry_points", refuse)
    adapter: TypeAdapter[Adapter] = TypeAdapter(Adapter)
    assert adapter.validate_json(_ATL).kind == "atl"
    with pytest.raises(ValueError, match="packages were asked"):
        adapter.validate_json('{"kind": "scale"}')


def test_an_unknown_kind_is_refused_where_the_working_folder_was_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    with pytest.raises(FileNotFoundError):
        os.getcwd()  # noqa: PTH109
    with pytest.raises(ValueError, match="scale"):
        TypeAdapter(Adapter).validate_json('{"kind": "scale"}')
