"""The key: everything that decides the result is in it, and nothing else."""

import json
from typing import Any

import pytest

from ablate.registry import Catalogue
from ablate.spec import (
    BACKBONES,
    ENGINE_VERSION,
    Context,
    DataIdentity,
    Protocol,
    ResNetIdentity,
    RunSpec,
    WeightsIdentity,
    random_resnet,
)


def change(spec: RunSpec, path: str, value: Any) -> RunSpec:
    """The spec with the field at a dotted path altered, and nothing else."""
    tree = spec.model_dump(mode="json")
    *above, last = path.split(".")
    branch = tree
    for part in above:
        branch = branch[part]
    assert branch[last] != value
    branch[last] = value
    return RunSpec.model_validate_json(json.dumps(tree))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("seed", 1),
        ("variant.backbone", "vit_b"),
        ("variant.adapter.midlays", ["m", "m"]),
        ("variant.adapter.placement", "inside"),
        ("variant.adapter.residual", False),
        ("variant.adapter.width", 4),
        ("variant.adapter.up_init", "default"),
        ("variant.adapter.sites", "between"),
        ("variant.trained", ["adapter"]),
        ("variant.trained", ["adapter", "mask_decoder", "no_mask_embedding"]),
        ("context.data.digest", "1" * 64),
        ("context.weights.sha256", "1" * 64),
        ("context.protocol.backbone", "vit_b"),
        ("context.protocol.image_size_px", 256),
        ("context.protocol.split.seed", 43),
        ("context.protocol.split.validation_share", 0.2),
        ("context.protocol.split.rounding", "floor"),
        ("context.protocol.task.threshold", 0.4),
        ("variant.encoder_weights", "random"),
        ("context.engine", 7),
        ("context.protocol.mean", [0.0, 0.0, 0.0]),
        ("context.protocol.std", [1.0, 1.0, 1.0]),
        (
            "context.protocol.color_jitter",
            {"brightness": 0.1, "contrast": 0.0, "saturation": 0.0, "hue": 0.0},
        ),
        ("context.protocol.prompt_weights", "random"),
        ("context.protocol.epochs", 3),
        ("context.protocol.batch_size", 2),
        ("context.protocol.optimizer.lr", 1e-3),
        ("context.protocol.optimizer.weight_decay", 0.5),
        ("context.protocol.schedule.lr_min", 1e-4),
        ("context.protocol.loss.bce", 0.25),
        ("context.protocol.loss.dice", 0.25),
        ("context.protocol.loss.dice_smooth", 2.0),
        ("context.protocol.selection", "last"),
        ("context.protocol.precision", "bfloat16"),
    ],
)
def test_what_decides_the_result_is_in_the_key(run_spec: RunSpec, path: str, value: Any) -> None:
    assert change(run_spec, path, value).key != run_spec.key


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("name", "another"),
        ("variant.label", "Another"),
        ("variant.backbone", "vit_nano"),  # the protocol's own, given explicitly
        ("variant.adapter.up_init", "zero"),  # the default with the residual, given explicitly
        ("variant.adapter.kernel_size", 5),  # there is no MidLay c
        ("variant.trained", ["mask_decoder", "adapter"]),
        ("context.protocol.name", "another"),
        ("context.protocol.overrides", ["epochs=3"]),
        ("context.protocol.task.positive_class", "water"),
        ("context.protocol.task.metrics", ["miou"]),
        ("context.protocol.published_split", {"train": 1, "validation": 1}),
        ("context.data.label", "another"),
        ("context.weights.label", "another"),
    ],
)
def test_what_does_not_decide_it_is_not(run_spec: RunSpec, path: str, value: Any) -> None:
    assert change(run_spec, path, value).key == run_spec.key


def test_the_kernel_counts_where_there_is_a_convolution(run_spec: RunSpec) -> None:
    convolved = change(run_spec, "variant.adapter.midlays", ["c"])
    assert change(convolved, "variant.adapter.kernel_size", 5).key != convolved.key


def test_keys_are_those_of_this_engine(run_spec: RunSpec) -> None:
    """A field that is added must not orphan the runs of existing stores without a new engine."""
    assert run_spec.context.engine == ENGINE_VERSION == 6
    context = Context(
        protocol=Catalogue().protocol("paper"),
        data=DataIdentity(label="Bijie", digest="0" * 64, train=539, validation=231),
        weights=WeightsIdentity(label="SAM ViT-L", backbone="vit_l", sha256="1" * 64),
    )
    assert run_spec.model_copy(update={"context": context}).key == "f4c362d6e4dec482"


# CNN baselines and unadapted SAM ---------------------------------------------------------


@pytest.fixture
def cnn(run_spec: RunSpec) -> RunSpec:
    resnets = {"resnet50": random_resnet("resnet50"), "resnet101": random_resnet("resnet101")}
    return RunSpec(
        name="pspnet",
        variant=Catalogue().variant("pspnet"),
        context=run_spec.context.model_copy(update={"resnets": resnets}),
        seed=0,
    )


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("variant.architecture", "deeplabv3plus"),
        ("variant.auxiliary_weight", 0.4),
        ("context.resnets.resnet50.sha256", "1" * 64),
        ("context.data.digest", "1" * 64),
        ("context.protocol.epochs", 3),
        ("seed", 1),
    ],
)
def test_what_decides_a_cnn_is_in_its_key(cnn: RunSpec, path: str, value: Any) -> None:
    assert change(cnn, path, value).key != cnn.key


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("variant.label", "Another"),
        ("context.resnets.resnet101.sha256", "1" * 64),
        ("context.weights.sha256", "1" * 64),
        ("context.protocol.backbone", "vit_b"),
    ],
)
def test_neither_sam_nor_another_resnet_is_in_a_cnns_key(
    cnn: RunSpec, path: str, value: Any
) -> None:
    assert change(cnn, path, value).key == cnn.key


def test_resnet_weights_do_not_orphan_the_runs_of_sam(run_spec: RunSpec, cnn: RunSpec) -> None:
    beside_cnns = run_spec.model_copy(update={"context": cnn.context})
    assert beside_cnns.key == run_spec.key
    assert beside_cnns.context.id != run_spec.context.id


def test_a_cnn_without_the_identity_of_its_resnet_is_refused(run_spec: RunSpec) -> None:
    with pytest.raises(ValueError, match="the context names no weights for resnet50"):
        RunSpec(name="p", variant=Catalogue().variant("pspnet"), context=run_spec.context, seed=0)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("variant.backbone", "vit_b"),
        ("variant.prompts.points_per_side", 16),
        ("variant.prompts.min_quality", 0.5),
        ("variant.prompts.min_stability", 0.5),
        ("variant.prompts", {"kind": "interior-points"}),
        ("context.weights.sha256", "1" * 64),
    ],
)
def test_how_sam_is_prompted_is_in_the_key(run_spec: RunSpec, path: str, value: Any) -> None:
    zero_shot = run_spec.model_copy(update={"variant": Catalogue().variant("sam-everything")})
    assert change(zero_shot, path, value).key != zero_shot.key


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("seed", 1),
        ("context.protocol.epochs", 3),
        ("context.protocol.batch_size", 2),
        ("context.protocol.optimizer.lr", 1e-3),
        ("context.protocol.selection", "last"),
        ("context.protocol.task.threshold", 0.4),
    ],
)
def test_neither_seed_nor_recipe_is_in_the_key_of_what_is_only_evaluated(
    run_spec: RunSpec, path: str, value: Any
) -> None:
    zero_shot = run_spec.model_copy(update={"variant": Catalogue().variant("sam-points")})
    assert change(zero_shot, path, value).key == zero_shot.key
    assert zero_shot.epochs == 0


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("context.protocol.image_size_px", 256),
        ("context.protocol.split.seed", 43),
        ("context.protocol.split.rounding", "floor"),
        ("context.data.digest", "1" * 64),
        ("context.engine", 7),
    ],
)
def test_the_images_are_in_the_key_of_what_is_only_evaluated(
    run_spec: RunSpec, path: str, value: Any
) -> None:
    zero_shot = run_spec.model_copy(update={"variant": Catalogue().variant("sam-points")})
    assert change(zero_shot, path, value).key != zero_shot.key


def test_a_cnn_is_not_prompted(cnn: RunSpec) -> None:
    prompted = change(cnn, "context.protocol.prompt_weights", "random")
    assert prompted.key == cnn.key


def test_a_key_is_sixteen_hex_digits(run_spec: RunSpec) -> None:
    assert len(run_spec.key) == 16
    int(run_spec.key, 16)


def test_the_demos_watermark(context: Context) -> None:
    assert context.watermark == (
        "demo: generated data, SAM-nano; not comparable with the published values"
    )


def test_only_official_weights_on_the_published_split_go_without_watermark(
    context: Context, demo: Protocol
) -> None:
    split = {"train": context.data.train, "validation": context.data.validation}
    protocol = Protocol.model_validate(demo.model_dump() | {"published_split": split})
    official = WeightsIdentity(
        label="SAM ViT-L", backbone="vit_l", sha256=str(BACKBONES["vit_l"].checkpoint_sha256)
    )
    comparable = context.model_copy(update={"protocol": protocol, "weights": official})
    assert comparable.watermark is None
    fewer = context.data.model_copy(update={"train": 3})
    own = official.model_copy(update={"sha256": "0" * 64})
    for altered in ({"data": fewer}, {"weights": own}, {"protocol": demo}):
        assert comparable.model_copy(update=altered).watermark is not None


def test_cnns_from_random_values_are_not_comparable(run_spec: RunSpec, demo: Protocol) -> None:
    data = run_spec.context.data
    split = {"train": data.train, "validation": data.validation}
    comparable = Context(
        protocol=Protocol.model_validate(demo.model_dump() | {"published_split": split}),
        data=data,
        weights=WeightsIdentity(
            label="SAM ViT-L", backbone="vit_l", sha256=str(BACKBONES["vit_l"].checkpoint_sha256)
        ),
        resnets={"resnet50": ResNetIdentity(label="ResNet-50", sha256="0676ba61" + 56 * "0")},
    )
    assert comparable.watermark is None
    foreign = {"resnet50": random_resnet("resnet50")}
    assert comparable.model_copy(update={"resnets": foreign}).watermark == (
        "demo: generated data, SAM ViT-L, random ResNet-50; "
        "not comparable with the published values"
    )
