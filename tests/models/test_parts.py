"""The parts that a variant is drawn with are those that its modules have."""

import pytest

from ablate.models import Part, count, parts_of
from ablate.registry import Catalogue
from ablate.spec import BackboneName, Variant
from structures import BETWEEN, DECODER_ONLY, RELEASED, STRUCTURES

CATALOGUE = Catalogue()
VARIANTS = {name: CATALOGUE.variant(name) for name in CATALOGUE.variant_files}


def named(model: Part, name: str) -> Part:
    (part,) = (each for each in model.parts if each.name == name)
    return part


def states(part: Part) -> dict[str, str | None]:
    return {each.name: each.state for each in part.parts}


def lines(part: Part) -> list[tuple[str, str, str, int]]:
    return [(each.name, each.module, each.shape, each.parameters) for each in part.parts]


@pytest.mark.parametrize("backbone", ["vit_nano", "vit_l"])
@pytest.mark.parametrize("name", VARIANTS)
def test_the_parts_of_every_shipped_variant_add_up_to_its_count(
    name: str, backbone: BackboneName
) -> None:
    variant: Variant = VARIANTS[name]
    model, counted = parts_of(variant, backbone), count(variant, backbone)
    assert model.parameters == sum(part.parameters for part in model.parts) == counted.total
    trained = sum(part.parameters for part in model.parts if part.state == "trained")
    assert trained == counted.trainable
    adapters = [part for part in model.parts if part.name.startswith("adapters at ")]
    assert sum(part.parameters for part in adapters) == counted.adapter
    assert [part.name for part in adapters] == (
        [f"adapters at {counted.sites} sites"] if counted.sites else []
    )


@pytest.mark.parametrize(
    ("variant", "site"),
    [
        (STRUCTURES["translandseg"], ("before the block", "24 × Atl")),
        (STRUCTURES["translandseg-8"], ("between attention and MLP", "24 × Atl")),
        (BETWEEN, ("before the block", "23 × Atl")),
    ],
    ids=["outside", "inside", "between"],
)
def test_one_site_is_shown_for_all(variant: Variant, site: tuple[str, str]) -> None:
    model = parts_of(variant, "vit_l")
    sites = f"adapters at {site[1].split()[0]} sites"
    assert model.name == "SAM ViT-L"
    assert states(model) == {
        "patch and position embedding": "frozen",
        "24 transformer blocks": "frozen",
        sites: "trained",
        "neck": "frozen",
        "mask decoder": "trained",
    }
    (atl,) = named(model, sites).parts
    assert (atl.name, atl.module, atl.shape, atl.parameters) == (*site, "1024 → 1024", 5128)
    assert lines(atl) == [
        ("L_down", "Linear", "1024 → 2", 2050),
        ("MidLays", "Linear, GELU", "2 → 2", 6),
        ("L_up", "Linear", "2 → 1024", 3072),
    ]


def test_every_midlay_is_shown() -> None:
    (atl,) = named(parts_of(STRUCTURES["translandseg-5"], "vit_l"), "adapters at 24 sites").parts
    (midlays,) = (part for part in atl.parts if part.name == "MidLays")
    linear, convolution = "Linear, GELU", "Conv 3×3, LayerNorm2d, GELU"
    assert [part.module for part in midlays.parts] == [linear] * 2 + [convolution] * 3


def test_what_all_blocks_share_is_shown_once() -> None:
    (prompts,) = named(
        parts_of(RELEASED["translandseg-released"], "vit_l"), "adapters at 24 sites"
    ).parts
    assert (prompts.name, prompts.module) == ("beside the blocks", "Prompts")
    assert lines(prompts) == [
        ("L_down", "Linear", "1024 → 32", 32_800),
        ("high frequencies", "Conv 16×16 stride 16", "3 → 32", 24_608),
        ("MidLays", "24 × Linear, GELU", "32 → 32", 1056),
        ("L_up", "Linear", "32 → 1024", 33_792),
    ]
    (convolutions,) = named(
        parts_of(RELEASED["translandseg-released-c3"], "vit_l"), "adapters at 24 sites"
    ).parts
    assert convolutions.parts[-1].module == "24 ×"
    assert [(part.module, part.parameters) for part in convolutions.parts[-1].parts] == [
        ("Conv 1×1, LayerNorm2d, GELU", 32 * 32 + 32 + 64),
        ("depthwise Conv 3×3, LayerNorm2d, GELU", 32 * 9 + 64),
        ("Conv 1×1, LayerNorm2d, GELU", 32 * 1024 + 1024 + 2048),
    ]


def test_the_no_mask_embedding_is_a_part_only_where_it_is_trained() -> None:
    released = parts_of(RELEASED["translandseg-released"], "vit_l")
    assert named(released, "no-mask embedding").state == "trained"
    assert named(released, "no-mask embedding").parameters == 256
    assert "no-mask embedding" not in states(parts_of(DECODER_ONLY, "vit_l"))


def test_a_cnn_has_stages_and_heads() -> None:
    model = parts_of(VARIANTS["ccnet"], "vit_l")
    assert model.name == "ResNet-101"
    assert list(states(model)) == ["encoder", "head", "auxiliary head"]
    encoder, head, auxiliary = model.parts
    assert encoder.module == "last features at 1/8 of the image's side"
    stage3 = ("stage 3", "23 bottleneck blocks", "512 → 1024", 26_090_496)
    assert lines(encoder)[3] == stage3
    assert [part.name for part in head.parts] == ["reduce", "attention", "refine", "classifier"]
    assert lines(head.parts[1])[0] == ("gamma", "Parameter", "1", 1)
    assert auxiliary.module == "its loss weighted with 0.4"
    assert list(states(parts_of(VARIANTS["pspnet"], "vit_l"))) == ["encoder", "head"]


def test_all_of_zero_shot_sam_is_frozen() -> None:
    model = parts_of(VARIANTS["sam-points"], "vit_b")
    assert model.name == "SAM ViT-B"
    assert set(states(model).values()) == {"frozen"}
    prompt_encoder = ("prompt encoder", "embeddings", "points, boxes, masks → 256", 6220)
    assert prompt_encoder in lines(model)
