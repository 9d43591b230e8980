"""Table III by formula and on the modules."""

import pytest
import torch
from nano_helpers import Build, widened
from segment_anything import sam_model_registry

from ablate.models import count
from ablate.models.sam import sam_without_weights
from ablate.runs import Parameters
from ablate.spec import BACKBONES, AtlAdapter, BackboneName, SamVariant
from structures import BETWEEN, DECODER_ONLY, RELEASED, STRUCTURES

OFFICIAL: tuple[BackboneName, ...] = ("vit_b", "vit_l", "vit_h")


@pytest.fixture(scope="module")
def sams() -> dict[BackboneName, tuple[int, int]]:
    """Parameters of image encoder and mask decoder, from segment_anything's own builders."""
    counted = {}
    for name in OFFICIAL:
        with torch.device("meta"):
            sam = sam_model_registry[name]()
        counted[name] = (
            sum(value.numel() for value in sam.image_encoder.parameters()),
            sum(value.numel() for value in sam.mask_decoder.parameters()),
        )
    nano = sam_without_weights("vit_nano")
    counted["vit_nano"] = (
        sum(value.numel() for value in nano.image_encoder.parameters()),
        sum(value.numel() for value in nano.mask_decoder.parameters()),
    )
    return counted


def atl_parameters(adapter: AtlAdapter, channels: int) -> int:
    d, k = adapter.width, adapter.kernel_size
    midlay = {"m": d * d + d, "c": d * d * k * k + d + 2 * d}
    down, up = channels * d + d, d * channels + channels
    return down + sum(midlay[name] for name in adapter.midlays) + up


@pytest.mark.parametrize("backbone", BACKBONES)
@pytest.mark.parametrize("name", STRUCTURES)
def test_the_ten_structures_are_counted(
    sams: dict[BackboneName, tuple[int, int]], name: str, backbone: BackboneName
) -> None:
    variant, geometry = STRUCTURES[name], BACKBONES[backbone]
    assert isinstance(variant.adapter, AtlAdapter)
    encoder, decoder = sams[backbone]
    adapter = geometry.depth * atl_parameters(variant.adapter, geometry.width)
    assert count(variant, backbone) == Parameters(
        total=encoder + decoder + adapter,
        trainable=decoder + adapter,
        adapter=adapter,
        sites=geometry.depth,
    )


def test_the_papers_model_has_the_papers_numbers(
    sams: dict[BackboneName, tuple[int, int]],
) -> None:
    assert sams["vit_l"] == (308_278_272, 4_058_340)
    assert count(STRUCTURES["translandseg"], "vit_l") == Parameters(
        total=312_459_684, trainable=4_181_412, adapter=123_072, sites=24
    )


def test_23_sites_have_table_3s_numbers() -> None:
    assert count(BETWEEN, "vit_l") == Parameters(
        total=312_454_556, trainable=4_176_284, adapter=23 * 5128, sites=23
    )


def test_the_interpretation_as_released_has_table_3s_numbers() -> None:
    assert count(RELEASED["translandseg-released"], "vit_l") == Parameters(
        total=312_453_412, trainable=4_175_140, adapter=116_544, sites=24
    )


def test_the_other_released_midlays_are_counted() -> None:
    shared = 1024 * 32 + 32 + 3 * 256 * 32 + 32
    two_m = shared + 32 * 1024 + 1024 + 24 * 2 * (32 * 32 + 32)
    three_c = shared + 24 * (32 * 32 + 32 + 64 + 9 * 32 + 64 + 32 * 1024 + 1024 + 2048)
    for name, adapter in (("m2", two_m), ("c3", three_c)):
        assert count(RELEASED[f"translandseg-released-{name}"], "vit_l") == Parameters(
            total=308_278_272 + 4_058_340 + 256 + adapter,
            trainable=4_058_340 + 256 + adapter,
            adapter=adapter,
            sites=24,
        )


def test_the_no_mask_embedding_is_counted_only_where_it_is_trained() -> None:
    released = RELEASED["translandseg-released"]
    frozen = released.model_copy(update={"trained": ("adapter", "mask_decoder")})
    with_it, without = (count(each, "vit_l") for each in (released, frozen))
    assert (with_it.total - without.total, with_it.trainable - without.trainable) == (256, 256)


def test_the_trained_share_is_the_printed_one() -> None:
    """Section V-A: the trained parameters are 1.3 % of all."""
    for variant in (STRUCTURES["translandseg"], BETWEEN, RELEASED["translandseg-released"]):
        counted = count(variant, "vit_l")
        assert round(100 * counted.trainable / counted.total, 1) == 1.3


def test_2_is_the_only_width_that_fits_the_printed_trained_parameters() -> None:
    fitting = [
        width
        for width in range(1, 9)
        if round(count(widened(STRUCTURES["translandseg"], width), "vit_l").trainable / 1e6, 2)
        == 4.18
    ]
    assert fitting == [2]


def test_what_is_trained_is_what_the_variant_says() -> None:
    decoder_only = count(DECODER_ONLY, "vit_b")
    assert (decoder_only.trainable, decoder_only.adapter, decoder_only.sites) == (4_058_340, 0, 0)
    adapter_only = SamVariant(
        system="sam", adapter=STRUCTURES["translandseg"].adapter, trained=("adapter",)
    )
    counted = count(adapter_only, "vit_b")
    assert counted.trainable == counted.adapter > 0


@pytest.mark.parametrize(
    "variant",
    [STRUCTURES["translandseg"], STRUCTURES["translandseg-6"], BETWEEN, *RELEASED.values()],
)
def test_a_built_model_counts_the_same(build_nano: Build, variant: SamVariant) -> None:
    assert build_nano(variant).count_parameters() == count(variant, "vit_nano")
