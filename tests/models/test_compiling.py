"""Compiled blocks: the same function, the same names, and never a silent way back."""

from collections.abc import Callable, Iterator

import pytest
import torch
from nano_helpers import Build, backward, scatter
from torch import Tensor, nn
from torch._dynamo.utils import counters
from torch._inductor.cpp_builder import get_cpp_compiler
from torch._inductor.exc import InvalidCxxCompiler

from ablate.errors import BadInput
from ablate.models import SegmentationModel, build_cnn
from ablate.models.compiling import compile_blocks
from ablate.registry import Catalogue
from ablate.spec import CnnVariant, SamVariant

# PyTorch looks at the gradient of what it compiles for, and hushes its own warning about that.
pytestmark = pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor:UserWarning")

# Outside and inside the blocks, both MidLays, and beside them.
VARIANTS = ("translandseg", "translandseg-6", "translandseg-released")


def has_compiler() -> bool:
    try:
        get_cpp_compiler()
    except InvalidCxxCompiler:
        return False
    return True


@pytest.fixture(autouse=True)
def dynamo_as_it_was() -> Iterator[None]:
    config = torch._dynamo.config
    limits = ("recompile_limit", "accumulated_recompile_limit", "fail_on_recompile_limit_hit")
    torch._dynamo.reset()
    counters.clear()
    with config.patch({limit: getattr(config, limit) for limit in limits}):
        yield
    torch._dynamo.reset()


@pytest.fixture
def without_code(monkeypatch: pytest.MonkeyPatch) -> None:
    """All of compiling but what takes minutes: graphs are captured, and run as they are."""
    compile_in_place = nn.Module.compile

    def captured(self: nn.Module, **how: object) -> None:
        compile_in_place(self, backend="eager", **how)

    monkeypatch.setattr(nn.Module, "compile", captured)
    monkeypatch.setattr("ablate.models.compiling._check_compiler", lambda device: None)


def sam(name: str) -> SamVariant:
    variant = Catalogue().variant(name)
    assert isinstance(variant, SamVariant)
    return variant


def noise(image_size_px: int) -> Tensor:
    generator = torch.Generator().manual_seed(7)
    return torch.randn(2, 3, image_size_px, image_size_px, generator=generator)


def twins(build: Callable[[], SegmentationModel]) -> tuple[SegmentationModel, SegmentationModel]:
    """The same model twice; the second one is compiled."""
    eager, compiled = build(), build()
    for model in (eager, compiled):
        if hasattr(model, "adapters"):
            scatter(model)
    compile_blocks(compiled)
    return eager, compiled


def assert_same(eager: SegmentationModel, compiled: SegmentationModel, images: Tensor) -> None:
    """Logits in training and validation, and every trained parameter's gradient."""
    for model in (eager, compiled):
        backward(model.train(), images)
    gradients, others = (
        {n: p.grad for n, p in model.named_parameters() if p.grad is not None}
        for model in (eager, compiled)
    )
    assert gradients.keys() == others.keys() == eager.trainable_state().keys() - unseen(eager)
    largest = max(gradient.abs().max() for gradient in gradients.values())
    for name, gradient in gradients.items():
        # Where a ReLU's input is zero but for rounding, one of the two passes it on: such a flip
        # moves a few numbers by half a percent, a wrong function all of them.
        allowed = 2e-2 * gradient.norm() + 1e-5 * largest * gradient.numel() ** 0.5
        assert (others[name] - gradient).norm() <= allowed, name
    with torch.inference_mode():
        torch.testing.assert_close(
            compiled.eval()(images), eager.eval()(images), rtol=1e-4, atol=1e-4
        )


def unseen(model: SegmentationModel) -> set[str]:
    """What training changes and no gradient reaches."""
    return {
        name
        for name in model.trainable_state()
        if name not in dict(model.named_parameters()) or model.get_parameter(name).grad is None
    }


@pytest.mark.usefixtures("without_code")
@pytest.mark.parametrize(
    ("name", "image_size_px"),
    [("translandseg", 256), ("translandseg-6", 64), ("translandseg-released", 64)],
)
def test_graphs_compute_what_the_modules_do(
    build_nano: Build, name: str, image_size_px: int
) -> None:
    """At 256 px the global blocks have the exact attention, which stays as it is."""
    images = noise(image_size_px)
    eager, compiled = twins(lambda: build_nano(sam(name), image_size_px=image_size_px))
    assert_same(eager, compiled, images)
    assert counters["stats"]["unique_graphs"] > 0


@pytest.mark.usefixtures("without_code")
def test_autocast_reaches_into_graphs(build_nano: Build) -> None:
    images = noise(64)
    eager, compiled = twins(lambda: build_nano(sam("translandseg"), image_size_px=64))
    with torch.autocast("cpu", torch.bfloat16):
        first, second = eager(images), compiled(images)
    torch.testing.assert_close(second, first, rtol=0.05, atol=0.05)
    assert not torch.equal(first, eager(images))


@pytest.mark.usefixtures("without_code")
def test_the_blocks_of_a_cnn_are_compiled() -> None:
    variant = Catalogue().variant("pspnet")
    assert isinstance(variant, CnnVariant)
    _, compiled = twins(lambda: build_cnn(variant, None, seed=0))
    names = {n for n, m in compiled.named_modules() if m._compiled_call_impl is not None}
    assert names == {
        f"encoder.layer{stage}.{block}"
        for stage, blocks in ((1, 3), (2, 4), (3, 6), (4, 3))
        for block in range(blocks)
    }


@pytest.mark.usefixtures("without_code")
def test_names_and_values_stay_what_they_were(build_nano: Build) -> None:
    eager, compiled = twins(lambda: build_nano(sam("translandseg")))
    assert list(compiled.state_dict()) == list(eager.state_dict())
    compiled.load_trainable_state(eager.trainable_state())
    for name, value in eager.trainable_state().items():
        assert torch.equal(compiled.trainable_state()[name], value)


@pytest.mark.slow
@pytest.mark.usefixtures("without_code")
def test_ten_variants_share_graphs_and_none_falls_back(build_nano: Build) -> None:
    """PyTorch's own limit is 8 graphs of a function; beyond it, it would silently not compile."""
    variants = [sam(name) for name in Catalogue().sweep("table4").variants]
    models = [build_nano(variant, image_size_px=64) for variant in variants]
    for model in models:
        compile_blocks(model)
    for model in models:
        model(noise(64))
    graphs, frames = counters["stats"]["unique_graphs"], counters["frames"]
    assert frames["total"] == frames["ok"] == graphs > 8
    # As another seed of them, in the same process.
    for variant in variants:
        again = build_nano(variant, image_size_px=64, seed=1)
        compile_blocks(again)
        again(noise(64))
    assert counters["stats"]["unique_graphs"] == graphs


@pytest.mark.usefixtures("without_code")
def test_more_graphs_than_allowed_are_an_error(
    build_nano: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ablate.models.compiling._GRAPHS", 1)
    model = build_nano(sam("translandseg"), image_size_px=64)
    compile_blocks(model)
    with pytest.raises(torch._dynamo.exc.FailOnRecompileLimitHit):
        model(noise(64))


def test_a_missing_compiler_is_said_at_once(build_nano: Build) -> None:
    model = build_nano(sam("translandseg"))
    message = r"compile: true, but there is no C\+\+ compiler; install"
    with (
        torch._inductor.config.patch({"cpp.cxx": ("no-such-compiler",)}),
        pytest.raises(BadInput, match=message),
    ):
        compile_blocks(model)


@pytest.mark.slow
@pytest.mark.skipif(not has_compiler(), reason="there is no C++ compiler")
@pytest.mark.parametrize("name", VARIANTS)
def test_machine_code_computes_what_the_modules_do(build_nano: Build, name: str) -> None:
    eager, compiled = twins(lambda: build_nano(sam(name), image_size_px=64))
    assert_same(eager, compiled, noise(64))
