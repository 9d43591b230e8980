"""What is counted from geometry is what the modules have."""

from dataclasses import asdict

import pytest

from ablate.models import count
from ablate.models.cnn import count_cnn
from ablate.registry import Catalogue
from ablate.spec import BackboneName, CnnVariant, Variant, count_cnn_parameters, count_parameters

CATALOGUE = Catalogue()
VARIANTS = {name: CATALOGUE.variant(name) for name in CATALOGUE.variant_files}
RIVALS = [variant for variant in VARIANTS.values() if isinstance(variant, CnnVariant)]


def assert_counts_agree(variant: Variant, backbone: BackboneName) -> None:
    assert asdict(count_parameters(variant, backbone)) == count(variant, backbone).model_dump()


@pytest.mark.parametrize("name", VARIANTS)
@pytest.mark.parametrize("backbone", ["vit_nano", "vit_l"])
def test_every_shipped_variant(name: str, backbone: BackboneName) -> None:
    assert_counts_agree(VARIANTS[name], backbone)


@pytest.mark.parametrize("name", ["translandseg-6", "translandseg-released", "sam-points"])
@pytest.mark.parametrize("backbone", ["vit_b", "vit_h"])
def test_every_backbone(name: str, backbone: BackboneName) -> None:
    assert_counts_agree(VARIANTS[name], backbone)


@pytest.mark.parametrize("variant", RIVALS, ids=lambda variant: variant.architecture)
def test_rivals_with_two_classes_and_another_auxiliary_head(variant: CnnVariant) -> None:
    weight = None if variant.auxiliary_weight else 0.4
    other = variant.model_copy(update={"auxiliary_weight": weight})
    assert count_cnn_parameters(other, classes=2).total == count_cnn(other, classes=2).total
