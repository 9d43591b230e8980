"""Table III in closed form: every count of the paper's systems, from geometry alone."""

import pytest

from ablate.spec import (
    BACKBONES,
    ArchitectureName,
    BackboneName,
    CnnVariant,
    Everything,
    InteriorPoints,
    ParameterCount,
    SamVariant,
    Variant,
    ZeroShotVariant,
    count_cnn_parameters,
    count_parameters,
    encoder_layers,
    head_layers,
    parameters_of,
    sam_layers,
)
from structures import BETWEEN, DECODER_ONLY, RELEASED, STRUCTURES, structure


def rival(architecture: ArchitectureName) -> CnnVariant:
    weight = 0.4 if architecture == "ccnet" else None
    return CnnVariant(system="cnn", architecture=architecture, auxiliary_weight=weight)


def as_written(width: int) -> SamVariant:
    return structure(("m",), "outside", residual=True, width=width)


def test_sam_vit_l_has_its_three_parts() -> None:
    parts = {part.name: part.parameters for part in sam_layers(BACKBONES["vit_l"])}
    assert parts == {
        "image encoder": 308_278_272,
        "prompt encoder": 6_220,
        "mask decoder": 4_058_340,
    }


@pytest.mark.parametrize(
    ("variant", "total", "trainable", "sites"),
    [
        (STRUCTURES["translandseg"], 312_459_684, 4_181_412, 24),
        (BETWEEN, 312_454_556, 4_176_284, 23),
        (RELEASED["translandseg-released"], 312_453_412, 4_175_140, 24),
    ],
    ids=["as written", "23 sites", "as released"],
)
def test_the_three_readings(variant: SamVariant, total: int, trainable: int, sites: int) -> None:
    counted = count_parameters(variant, "vit_l")
    assert (counted.total, counted.trainable, counted.sites) == (total, trainable, sites)
    # Section V-A: the trained parameters are 1.3 % of all.
    assert round(100 * trainable / total, 1) == 1.3


def test_the_no_mask_embedding_is_counted_only_where_it_is_trained() -> None:
    released = RELEASED["translandseg-released"]
    frozen = released.model_copy(update={"trained": ("adapter", "mask_decoder")})
    with_it, without = (count_parameters(each, "vit_l") for each in (released, frozen))
    assert (with_it.total - without.total, with_it.trainable - without.trainable) == (256, 256)


def test_2_is_the_only_width_that_fits_the_printed_trained_parameters() -> None:
    fitting = [
        width
        for width in range(1, 129)
        if round(count_parameters(as_written(width), "vit_l").trainable / 1e6, 2) == 4.18
    ]
    assert fitting == [2]


@pytest.mark.parametrize(
    ("architecture", "one_class", "two_classes"),
    [
        ("deeplabv3plus", 40_347_041, 40_347_298),
        ("pspnet", 46_582_337, 46_582_850),
        ("ccnet", 71_269_443, 71_270_469),
    ],
)
def test_the_rivals(architecture: ArchitectureName, one_class: int, two_classes: int) -> None:
    variant = rival(architecture)
    assert count_parameters(variant, "vit_l") == count_cnn_parameters(variant)
    assert count_cnn_parameters(variant) == ParameterCount(one_class, one_class, 0, 0)
    assert count_cnn_parameters(variant, classes=2).total == two_classes


@pytest.mark.parametrize("classes", [1, 2])
def test_the_reconstructed_unet_rounds_to_the_printed_number(classes: int) -> None:
    counted = count_cnn_parameters(rival("unet"), classes)
    assert counted.trainable == counted.total
    assert round(counted.total / 1e6, 2) == 75.36


def test_the_auxiliary_head_is_counted_only_where_there_is_one() -> None:
    with_head = rival("ccnet")
    without = with_head.model_copy(update={"auxiliary_weight": None})
    difference = count_cnn_parameters(with_head).total - count_cnn_parameters(without).total
    assert difference == (1024 * 512 * 9 + 512) + 2 * 512 + (512 + 1)


def test_a_rivals_layers_are_named_apart_and_fit_each_other() -> None:
    for architecture in ("ccnet", "deeplabv3plus", "pspnet", "unet"):
        encoder, head = encoder_layers(rival(architecture)), head_layers(rival(architecture))
        names = [layer.name for layer in (*encoder, *head)]
        assert len(set(names)) == len(names)
        widths = [layer.shape.split(" → ") for layer in encoder]
        assert [before for before, _ in widths[1:]] == [after for _, after in widths[:-1]]
    assert parameters_of(encoder_layers(rival("pspnet"))) == 25_557_032 - (2048 * 1000 + 1000)


@pytest.mark.parametrize(
    "prompts", [InteriorPoints(kind="interior-points"), Everything(kind="everything")]
)
def test_sam_itself_is_counted_whole_and_nothing_of_it_is_trained(
    prompts: InteriorPoints | Everything,
) -> None:
    variant = ZeroShotVariant(system="sam-zero-shot", prompts=prompts)
    total = 308_278_272 + 6_220 + 4_058_340
    assert count_parameters(variant, "vit_l") == ParameterCount(total, 0, 0, 0)


@pytest.mark.parametrize("backbone", BACKBONES)
def test_what_is_not_trained_is_frozen_and_not_lost(backbone: BackboneName) -> None:
    adapter_only = SamVariant(
        system="sam", adapter=STRUCTURES["translandseg"].adapter, trained=("adapter",)
    )
    both: Variant = STRUCTURES["translandseg"]
    ours, theirs = count_parameters(adapter_only, backbone), count_parameters(both, backbone)
    assert ours.total == theirs.total
    assert ours.trainable == ours.adapter == theirs.adapter > 0
    bare = count_parameters(DECODER_ONLY, backbone)
    assert (bare.total, bare.adapter, bare.sites) == (theirs.total - theirs.adapter, 0, 0)
