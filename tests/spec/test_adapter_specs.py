"""Adapters besides the ATL: what their specs refuse, and what they are in a run's key."""

import json
from typing import Any

import pytest
from pydantic import ValidationError

from ablate.errors import BadInput
from ablate.spec import AtlAdapter, SamVariant
from other_variants import adapted, peft_variant
from structures import STRUCTURES


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"method": "ia3", "rank": 4}, "IA³ has no rank, it has no such field; remove rank"),
        ({"method": "hira", "alpha": 4}, "HiRA has no alpha, it has rank; remove alpha"),
        ({"target": ["q", "q"]}, "target lists a layer twice"),
        ({"on": "decoder", "sites": "late"}, "sites names blocks of the image encoder"),
        ({"sites": [1, 1]}, "a block is listed twice"),
        ({"sites": []}, "it must be a word that names blocks"),
        ({"sites": [True]}, "it must be a word that names blocks"),
        ({"sites": [-1]}, "it must be a word that names blocks"),
        ({"sites": "early"}, "it must be a word that names blocks"),
        ({"sites": list(range(1025))}, "no encoder has as many blocks"),
        ({"dropout": 0.1}, "Extra inputs"),
    ],
    ids=str,
)
def test_what_a_method_has_not_is_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        peft_variant(**fields)


def test_a_decoder_is_adapted_or_trained() -> None:
    adapter = {"kind": "peft", "method": "lora", "target": ["q"], "on": "both"}
    with pytest.raises(ValidationError, match="remove mask_decoder from trained"):
        adapted(adapter, ["adapter", "mask_decoder"])


def test_two_spellings_of_one_adapter_have_one_identity() -> None:
    spelled = {"rank": 8, "alpha": 8, "target": ["v", "q"], "sites": list(range(23, -1, -1))}
    assert peft_variant(**spelled).identity("vit_l") == peft_variant().identity("vit_l")
    assert peft_variant("ia3").identity("vit_l")["adapter"].keys() == {
        "kind",
        "method",
        "target",
        "on",
        "sites",
    }
    late = peft_variant(sites=[2, 3]).identity("vit_nano")
    assert late == peft_variant(sites="late").identity("vit_nano")
    assert late != peft_variant(sites=[2, 3]).identity("vit_b")


def test_an_atl_may_sit_in_some_blocks() -> None:
    def atl(sites: object) -> SamVariant:
        content = STRUCTURES["translandseg"].model_dump(mode="json")
        content["adapter"]["sites"] = sites
        return SamVariant.model_validate_json(json.dumps(content))

    assert isinstance(atl([1, 0]).adapter, AtlAdapter)
    assert atl([0, 1, 2, 3]).identity("vit_nano") == atl("all").identity("vit_nano")
    assert atl([0, 1, 2, 3]).identity("vit_b") != atl("all").identity("vit_b")
    assert atl([1, 0]).columns()["sites"] == "0 1"
    assert "in the second half of the blocks" in atl("late").describe()
    with pytest.raises(BadInput, match="sites names block 12, but the image encoder has 12 blocks"):
        atl([12]).check_backbone("vit_b")


def test_it_describes_itself() -> None:
    variant = peft_variant("dora", rank=4, alpha=8, sites=[3, 1])
    assert variant.describe() == (
        "DoRA on q, v of the image encoder, rank 4, alpha 8, in the blocks 1 3; "
        "trained: adapter, mask decoder"
    )
    columns = variant.columns()
    assert (columns["method"], columns["rank"], columns["sites"]) == ("DoRA", 4, "1 3")
