"""How many models go together."""

import pytest
import torch
from torch import nn

from ablate.train import memory

CPU = torch.device("cpu")


def test_what_a_backward_pass_needs_is_counted_once_and_without_the_weights(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = nn.Sequential(nn.Linear(10, 20), nn.GELU(), nn.Linear(20, 1))
    x = torch.zeros(5, 10)
    # Inputs of both layers and of the GELU, float32.
    held = 4 * 5 * (10 + 20 + 20)
    monkeypatch.setattr(memory, "_free_bytes", lambda _: 3 * 5 * held)
    assert memory.fitting(model, lambda: model(x), CPU) == 3
    monkeypatch.setattr(memory, "_free_bytes", lambda _: held)
    assert memory.fitting(model, lambda: model(x), CPU) == 1


def test_unknown_memory_is_no_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "_free_bytes", lambda _: None)
    assert memory.fitting(nn.Linear(1, 1), lambda: None, CPU) is None


def test_this_machine_has_free_memory() -> None:
    free = memory._free_bytes(CPU)
    assert free is None or 2**20 < free < 2**50
