"""Structure in plain numbers, held against the paper."""

from ablate.registry import Catalogue
from ablate.spec import BACKBONES, SamVariant, layers, midlay_text


def test_one_atl_of_the_baseline_has_the_papers_layers() -> None:
    variant = Catalogue().variant("translandseg")
    assert isinstance(variant, SamVariant)
    stack = layers(variant.adapter, BACKBONES["vit_l"])
    assert [layer.name for layer in stack] == ["L_down", "MidLay m", "L_up"]
    assert [layer.parameters for layer in stack] == [2050, 6, 3072]


def test_midlays_are_written_as_in_table_4() -> None:
    catalogue = Catalogue()
    variants = {name: catalogue.variant(name) for name in catalogue.variant_files}
    texts = {
        name: midlay_text(variant.adapter)
        for name, variant in variants.items()
        if isinstance(variant, SamVariant)
    }
    assert texts["translandseg"] == "m×1"
    assert texts["translandseg-1"] == "c×3"
    assert texts["translandseg-5"] == "m×2 + c×3"
