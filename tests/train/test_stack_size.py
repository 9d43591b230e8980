"""How many models go together."""

from pathlib import Path

import pytest
import torch
from torch import nn

from ablate.models import devices
from ablate.train import stack_size

CPU = torch.device("cpu")


def test_what_a_backward_pass_needs_is_counted_once_and_without_the_weights(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = nn.Sequential(nn.Linear(10, 20), nn.GELU(), nn.Linear(20, 1))
    x = torch.zeros(5, 10)
    # Inputs of both layers and of the GELU, float32.
    held = 4 * 5 * (10 + 20 + 20)
    monkeypatch.setattr(stack_size, "free_bytes", lambda _: 3 * 5 * held)
    assert stack_size.fitting(model, lambda: model(x), CPU) == 3
    monkeypatch.setattr(stack_size, "free_bytes", lambda _: held)
    assert stack_size.fitting(model, lambda: model(x), CPU) == 1


def test_unknown_memory_is_no_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stack_size, "free_bytes", lambda _: None)
    assert stack_size.fitting(nn.Linear(1, 1), lambda: None, CPU) is None


def test_free_memory_is_what_linux_calls_available(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    meminfo = tmp_path / "meminfo"
    meminfo.write_text("MemTotal:  9000 kB\nMemFree:  10 kB\nMemAvailable:  2048 kB\n")
    monkeypatch.setattr(devices, "_MEMINFO", meminfo)
    assert stack_size.free_bytes(CPU) == 2 * 2**20
    assert stack_size.free_bytes(torch.device("meta")) is None
    meminfo.unlink()
    assert stack_size.free_bytes(CPU) is None
