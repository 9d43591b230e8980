"""What a device computes in, without one that has anything but float32."""

import warnings

import pytest
import torch

from ablate.models.devices import computing_in, precision_on
from ablate.spec import Precision

CPU, GPU = torch.device("cpu"), torch.device("cuda")


def switches() -> tuple[str, bool, str, str]:
    """What PyTorch would compute in on a GPU, by its older and its newer switches."""
    return (
        torch.get_float32_matmul_precision(),
        torch.backends.cudnn.allow_tf32,
        torch.backends.cuda.matmul.fp32_precision,
        torch.backends.cudnn.conv.fp32_precision,
    )


@pytest.mark.parametrize(
    ("precision", "is_rounded"), [("float32", False), ("tf32", True), ("bfloat16", False)]
)
def test_products_and_convolutions_are_rounded_in_tf32_alone(
    precision: Precision, is_rounded: bool
) -> None:
    before = switches()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with computing_in(GPU, precision):
            inside = switches()
            with computing_in(GPU, "tf32"):
                pass
            assert switches() == inside
    # "high" and True are the older switches' words for TF32, "none" is float32 as well.
    products = ("high", "tf32") if is_rounded else ("highest", "ieee")
    assert (inside[0], inside[2]) == products
    assert inside[1] is is_rounded
    assert (inside[3] == "tf32") is is_rounded
    assert switches()[:2] == before[:2]


def test_switches_are_put_back_after_an_error() -> None:
    before = switches()[:2]
    with pytest.raises(ZeroDivisionError), computing_in(GPU, "tf32"):
        raise ZeroDivisionError
    assert switches()[:2] == before


def test_on_a_cpu_no_switch_is_touched() -> None:
    before = switches()
    with computing_in(CPU, "tf32"):
        assert switches() == before


@pytest.mark.parametrize("has_it", [True, False])
def test_a_device_without_tf32_computes_in_float32(
    has_it: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.cuda.is_tf32_supported", lambda: has_it)
    assert precision_on(GPU, "tf32") == ("tf32" if has_it else "float32")
    assert precision_on(CPU, "tf32") == "float32"
    assert precision_on(GPU, "float32") == "float32"
