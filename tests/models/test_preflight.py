"""The preflight finds the vacuous ablations that research code lets through."""

from typing import Any

import pytest
import torch
from torch import Tensor

from ablate.models import adapters
from ablate.models.preflight import vacuous
from ablate.spec import SamVariant
from structures import STRUCTURES

PAIR = {name: STRUCTURES[name] for name in ("translandseg", "translandseg-8")}


def test_the_papers_ten_are_not_vacuous() -> None:
    assert vacuous(STRUCTURES) == []


def test_an_adapter_left_frozen_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """The public code's inside adapter: built at random, then never trained."""
    insert = adapters.insert

    def forgetful(*words: Any) -> adapters.Adapted:
        found = insert(*words)
        for adapter in found.adapters:
            # What a freeze by substring of a name does to a module that was added later.
            adapter.requires_grad_ = lambda _, same=adapter: same  # type: ignore[method-assign]
            for parameter in adapter.parameters():
                parameter.requires_grad = False
        return found

    monkeypatch.setattr("ablate.models.sam.insert", forgetful)
    problems = vacuous({"translandseg-8": STRUCTURES["translandseg-8"]})
    assert "translandseg-8: image_encoder.blocks.0.atl.down.weight is to be trained but frozen" in (
        problems
    )


def test_a_layer_that_is_never_called_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def without_midlays(self: adapters.Atl, x: Tensor) -> Tensor:
        theta: Tensor = self.up(self.down(x))
        return x + theta if self.residual else theta

    monkeypatch.setattr(adapters.Atl, "forward", without_midlays)
    (first, *_) = vacuous({"translandseg": STRUCTURES["translandseg"]})
    assert first == (
        "translandseg: image_encoder.blocks.0.atl.midlays.0.0.weight gets no gradient: "
        "it is built but never used"
    )


def test_a_knob_that_does_nothing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Placement is declared, but the builder puts every ATL outside."""
    monkeypatch.setitem(adapters._PLACEMENTS, "inside", adapters.OutsideAtl)
    assert vacuous(PAIR) == [
        "translandseg-8: computes exactly what translandseg computes; "
        "the fields in which they differ change nothing"
    ]


def test_trained_parts_tell_variants_apart() -> None:
    base = STRUCTURES["translandseg"]
    frozen_decoder = SamVariant.model_validate(base.model_dump() | {"trained": ("adapter",)})
    assert vacuous({"translandseg": base, "frozen-decoder": frozen_decoder}) == []


def test_the_global_generator_is_left_alone() -> None:
    before = torch.get_rng_state()
    vacuous(PAIR)
    assert torch.equal(torch.get_rng_state(), before)
