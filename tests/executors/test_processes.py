"""What processes that have torch are given, and what this one keeps."""

import os

import pytest

from ablate.executors import call_with_torch, warm_up


def test_this_process_keeps_its_own_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GLIBC_TUNABLES", raising=False)
    before = dict(os.environ)
    warm_up()
    assert dict(os.environ) == before


def test_workers_keep_their_memory() -> None:
    assert "glibc.malloc.trim_threshold" in call_with_torch("os:getenv", "GLIBC_TUNABLES")
