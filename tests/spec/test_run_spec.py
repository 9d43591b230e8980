"""The key: everything that decides the result is in it, and nothing else."""

import json
from typing import Any

import pytest

from ablate.spec import BACKBONES, Context, Protocol, RunSpec, WeightsIdentity


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
        ("context.protocol.mean", [0.0, 0.0, 0.0]),
        ("context.protocol.std", [1.0, 1.0, 1.0]),
        (
            "context.protocol.color_jitter",
            {"brightness": 0.1, "contrast": 0.0, "saturation": 0.0, "hue": 0.0},
        ),
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
        ("variant.backbone", "vit_nano"),  # the protocol's own, said again
        ("variant.adapter.up_init", "zero"),  # the default with the residual, said again
        ("variant.adapter.kernel_size", 5),  # there is no MidLay c
        ("variant.trained", ["mask_decoder", "adapter"]),
        ("context.protocol.name", "another"),
        ("context.protocol.published_split", {"train": 1, "validation": 1}),
        ("context.data.label", "another"),
        ("context.weights.label", "another"),
    ],
)
def test_what_does_not_is_not(run_spec: RunSpec, path: str, value: Any) -> None:
    assert change(run_spec, path, value).key == run_spec.key


def test_the_kernel_counts_where_there_is_a_convolution(run_spec: RunSpec) -> None:
    convolved = change(run_spec, "variant.adapter.midlays", ["c"])
    assert change(convolved, "variant.adapter.kernel_size", 5).key != convolved.key


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
