"""The interpretations of the paper as specs: their values and their identities."""

from typing import Any

import pytest
from pydantic import ValidationError

from ablate.registry import Catalogue
from ablate.spec import AtlAdapter, AtlReleasedAdapter, digest_of
from structures import BETWEEN, RELEASED, STRUCTURES

RELEASED_ADAPTER = {"kind": "atl-released", "midlays": ("m",), "width": 32}


def test_the_ten_structures_keep_the_identities_of_finished_runs() -> None:
    identities = {name: variant.identity("vit_l") for name, variant in STRUCTURES.items()}
    assert digest_of(identities)[:16] == "c63e899d7ef8d2b3"


def test_the_shipped_interpretations_are_those_of_the_public_code() -> None:
    catalogue = Catalogue()
    for name, variant in (RELEASED | {"translandseg-23-sites": BETWEEN}).items():
        assert catalogue.variant(name).identity("vit_l") == variant.identity("vit_l")


def test_the_sweeps_of_the_interpretations_have_their_rows() -> None:
    catalogue = Catalogue()
    assert list(catalogue.rows("interpretations", "vit_l")) == [
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
def test_what_is_not_in_the_public_code_is_refused(fields: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        AtlReleasedAdapter.model_validate(RELEASED_ADAPTER | fields)


def test_sites_between_requires_placement_outside() -> None:
    inside = STRUCTURES["translandseg-8"].adapter.model_dump() | {"sites": "between"}
    with pytest.raises(ValidationError, match=r"sites between .*give sites all, or placement"):
        AtlAdapter.model_validate(inside)


@pytest.mark.parametrize(
    "fields",
    [{"width": 10**11}, {"kernel_size": 10**6 + 1}, {"midlays": ("m",) * 1000}],
    ids=lambda fields: next(iter(fields)),
)
def test_absurd_sizes_are_refused(fields: dict[str, Any]) -> None:
    adapter = STRUCTURES["translandseg"].adapter.model_dump()
    with pytest.raises(ValidationError):
        AtlAdapter.model_validate(adapter | fields)
