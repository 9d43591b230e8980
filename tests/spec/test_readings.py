"""The readings of the paper as specs: what they may say, and what they are identified by."""

from typing import Any

import pytest
from pydantic import ValidationError

from ablate.registry import Catalogue
from ablate.spec import (
    BACKBONES,
    AtlAdapter,
    AtlReleasedAdapter,
    digest_of,
    layers,
    shared_layers,
    site_count,
)
from structures import BETWEEN, DECODER_ONLY, RELEASED, STRUCTURES

RELEASED_ADAPTER = {"kind": "atl-released", "midlays": ("m",), "width": 32}


def test_the_ten_structures_keep_the_identities_of_finished_runs() -> None:
    identities = {name: variant.identity("vit_l") for name, variant in STRUCTURES.items()}
    assert digest_of(identities)[:16] == "cde18306cd721be9"


def test_the_shipped_readings_say_what_the_public_code_does() -> None:
    catalogue = Catalogue()
    for name, variant in (RELEASED | {"translandseg-23-sites": BETWEEN}).items():
        assert catalogue.variant(name).identity("vit_l") == variant.identity("vit_l")


def test_the_sweeps_of_the_readings_have_their_rows() -> None:
    catalogue = Catalogue()
    assert list(catalogue.rows("readings", "vit_l")) == [
        "translandseg",
        "translandseg-23-sites",
        *RELEASED,
    ]
    widths = {
        name: row.adapter.width
        for name, row in catalogue.rows("bottleneck", "vit_l").items()
        if isinstance(row.adapter, AtlAdapter)
    }
    assert widths == {"translandseg": 2} | {f"width={d}": d for d in (4, 8, 16, 32, 64)}


@pytest.mark.parametrize("fields", [{"midlays": ("m", "m")}, {"width": 16}], ids=str)
def test_every_field_of_the_released_adapter_is_in_its_identity(fields: dict[str, Any]) -> None:
    default = AtlReleasedAdapter.model_validate(RELEASED_ADAPTER)
    altered = AtlReleasedAdapter.model_validate(RELEASED_ADAPTER | fields)
    assert default.identity() != altered.identity()
    assert RELEASED_ADAPTER.keys() == AtlReleasedAdapter.model_fields.keys()


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"midlays": ("c",)}, r"\[c\] is not in the public code"),
        ({"midlays": ()}, r"\[\] is not in the public code"),
        ({"midlays": ("c", "c", "c"), "width": 1}, "MidLay c needs width 2"),
        ({"placement": "inside"}, "placement"),
    ],
    ids=str,
)
def test_what_the_public_code_has_not_is_refused(fields: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        AtlReleasedAdapter.model_validate(RELEASED_ADAPTER | fields)


def test_between_goes_with_outside_alone() -> None:
    inside = STRUCTURES["translandseg-8"].adapter.model_dump() | {"sites": "between"}
    with pytest.raises(ValidationError, match=r"sites between .*give sites all, or placement"):
        AtlAdapter.model_validate(inside)


def test_sites_and_shared_layers_in_plain_numbers() -> None:
    backbone = BACKBONES["vit_l"]
    assert site_count(BETWEEN.adapter, backbone) == 23
    assert site_count(STRUCTURES["translandseg"].adapter, backbone) == 24
    assert site_count(DECODER_ONLY.adapter, backbone) == 0
    assert layers(DECODER_ONLY.adapter, backbone) == []
    assert shared_layers(BETWEEN.adapter, backbone) == []
    m, c = (RELEASED[f"translandseg-released{end}"].adapter for end in ("", "-c3"))
    assert [layer.parameters for layer in shared_layers(m, backbone)] == [32_800, 24_608, 33_792]
    assert [layer.parameters for layer in layers(m, backbone)] == [1056]
    assert [layer.parameters for layer in shared_layers(c, backbone)] == [32_800, 24_608]
    assert [layer.parameters for layer in layers(c, backbone)] == [
        32 * 32 + 32 + 64,
        32 * 9 + 64,
        32 * 1024 + 1024 + 2048,
    ]
