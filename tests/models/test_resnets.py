"""ResNets as encoders of the CNN baselines: features, and weights from files."""

from pathlib import Path

import pytest
import torch
from cnn_helpers import CNNS, DEEPLAB, noise, without_classifier
from torch import Tensor, nn
from torchvision.models import get_model

from ablate.errors import WeightsError
from ablate.models.cnn import Cnn, build_cnn
from ablate.models.resnets import ResNetEncoder, load_resnet
from ablate.spec import ARCHITECTURES
from ablate.spec.resnet import Architecture


@pytest.fixture(scope="module")
def resnet50() -> dict[str, Tensor]:
    """A state dict in torchvision's layout, its statistics those of no fresh network."""
    torch.manual_seed(11)
    state: dict[str, Tensor] = get_model("resnet50").state_dict()
    for name, value in state.items():
        if name.endswith("running_mean"):
            value.normal_()
        elif name.endswith("num_batches_tracked"):
            value.fill_(17)
    return state


# Encoder ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("output_stride", "dilated", "sides"),
    [
        (8, (False, True, True), (48, 24, 12, 12, 12)),
        (16, (False, False, True), (48, 24, 12, 6, 6)),
        (32, (False, False, False), (48, 24, 12, 6, 3)),
    ],
)
def test_features_are_torchvisions_own(
    resnet50: dict[str, Tensor],
    output_stride: int,
    dilated: tuple[bool, bool, bool],
    sides: tuple[int, ...],
) -> None:
    theirs = get_model("resnet50", replace_stride_with_dilation=dilated).eval()
    theirs.load_state_dict(resnet50)
    seen: list[Tensor] = []
    for stage in (theirs.relu, theirs.layer1, theirs.layer2, theirs.layer3, theirs.layer4):
        stage.register_forward_hook(lambda _module, _inputs, out: seen.append(out.clone()))
    ours = ResNetEncoder(Architecture("", "resnet50", False, output_stride)).eval()
    ours.copy_weights(without_classifier(resnet50))
    images = noise(1, 3, 96, 96)
    with torch.no_grad():
        theirs(images)
        features = ours(images)
    assert tuple(feature.shape[-1] for feature in features) == sides
    assert all(torch.equal(a, b) for a, b in zip(features, seen, strict=True))


def test_the_deep_stem_has_three_convolutions(built: dict[str, Cnn]) -> None:
    encoder = built["ccnet"].encoder
    convolutions = [part for part in encoder.conv1.modules() if isinstance(part, nn.Conv2d)]
    assert [tuple(part.weight.shape) for part in convolutions] == [
        (64, 3, 3, 3),
        (64, 64, 3, 3),
        (128, 64, 3, 3),
    ]
    assert [part.stride for part in convolutions] == [(2, 2), (1, 1), (1, 1)]
    # He's initialisation by fan-out: variance 2 / (9 · channels out).
    for part in convolutions:
        expected = (2 / (9 * part.out_channels)) ** 0.5
        assert part.weight.std().item() == pytest.approx(expected, rel=0.1)


# Weights ----------------------------------------------------------------------------------


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "resnet.pth"


def refused(file: Path, resnet: str = "resnet50") -> str:
    with pytest.raises(WeightsError) as caught:
        load_resnet(resnet, file)
    message = str(caught.value)
    assert "\n" not in message
    assert str(file) in message
    assert f"{resnet}-" in message
    return message


def test_a_file_becomes_the_encoder(
    built: dict[str, Cnn], file: Path, resnet50: dict[str, Tensor]
) -> None:
    torch.save(resnet50, file)
    weights = load_resnet("resnet50", file)
    model = build_cnn(DEEPLAB, weights, seed=3)
    encoder = model.encoder.state_dict()
    assert encoder.keys() == without_classifier(resnet50).keys()
    assert all(torch.equal(value, resnet50[n]) for n, value in encoder.items())
    # The head starts as it does without weights.
    head = built["deeplabv3plus"].head.state_dict()
    assert all(torch.equal(value, head[n]) for n, value in model.head.state_dict().items())


def test_training_never_changes_the_weights_that_were_given(resnet50: dict[str, Tensor]) -> None:
    weights = {n: value.clone() for n, value in without_classifier(resnet50).items()}
    model = build_cnn(DEEPLAB, weights, seed=0)
    with torch.no_grad():
        for value in model.state_dict().values():
            value.zero_()
    assert not model.encoder.conv1.weight.any()
    assert all(torch.equal(value, resnet50[n]) for n, value in weights.items())


def test_old_files_lack_the_counters_and_newer_ones_may_be_halved(
    file: Path, resnet50: dict[str, Tensor]
) -> None:
    old = {n: v.half() for n, v in resnet50.items() if not n.endswith("num_batches_tracked")}
    torch.save(old, file, _use_new_zipfile_serialization=False)
    weights = load_resnet("resnet50", file)
    assert weights.keys() == without_classifier(resnet50).keys()
    assert weights["layer4.2.bn3.num_batches_tracked"] == 0
    assert all(value.dtype == resnet50[n].dtype for n, value in weights.items())


def test_the_deep_stem_alone_stays_random(built: dict[str, Cnn]) -> None:
    torch.manual_seed(0)
    weights = without_classifier(get_model("resnet101").state_dict())
    # Normalisation starts at the same values everywhere: these are changed.
    weights = {n: value + 1 if "bn" in n else value for n, value in weights.items()}
    encoder = build_cnn(CNNS["ccnet"], weights, seed=3).encoder.state_dict()
    at_random = built["ccnet"].encoder.state_dict()
    kept = {n for n, value in encoder.items() if torch.equal(value, at_random[n])}
    taken = {n for n, value in encoder.items() if n in weights and torch.equal(value, weights[n])}
    stem = {n for n in encoder if n.startswith(("conv1.", "bn1."))}
    sees_the_stem = {"layer1.0.conv1.weight", "layer1.0.downsample.0.weight"}
    # The projections' normalisations start as torchvision's do.
    projections = {n for n in kept & taken if ".downsample.1." in n}
    assert kept - projections == stem | sees_the_stem
    assert taken == encoder.keys() - stem - sees_the_stem


@pytest.mark.parametrize("name", ["deeplabv3plus", "ccnet"])
def test_weights_with_a_gap_build_nothing(resnet50: dict[str, Tensor], name: str) -> None:
    resnet = ARCHITECTURES[CNNS[name].architecture].resnet
    with torch.device("meta"):
        weights = without_classifier(get_model(resnet).state_dict())
    # A deep stem has no use for this one; the file is incomplete nevertheless.
    del weights["conv1.weight"]
    with pytest.raises(WeightsError, match=rf"do not fit {resnet} \(missing: conv1\.weight\)"):
        build_cnn(CNNS[name], weights, seed=0)


def test_every_gap_of_a_file_is_listed(file: Path, resnet50: dict[str, Tensor]) -> None:
    state = dict(resnet50)
    del state["layer3.5.conv2.weight"]
    state["layer9.weight"] = torch.zeros(1)
    state["conv1.weight"] = torch.zeros(64, 4, 7, 7)
    torch.save(state, file)
    message = refused(file)
    assert "does not fit resnet50" in message
    assert "missing: layer3.5.conv2.weight" in message
    assert "unexpected: layer9.weight" in message
    assert "misshapen: conv1.weight (64, 4, 7, 7) for (64, 3, 7, 7)" in message
    assert "resnet50-0676ba61.pth or resnet50-11ad3fa6.pth" in message


def test_the_file_of_another_resnet_is_recognised(file: Path, resnet50: dict[str, Tensor]) -> None:
    torch.save(resnet50, file)
    message = refused(file, "resnet152")
    assert "holds the weights of resnet50, not of resnet152" in message


def test_a_missing_file_and_a_web_page_are_refused(file: Path) -> None:
    assert "there is no file" in refused(file)
    file.write_text("<!DOCTYPE html><html>404</html>")
    assert "web page" in refused(file)
