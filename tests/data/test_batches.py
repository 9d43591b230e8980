import random
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torchvision.transforms.v2 import functional

from ablate.data import Prepared, jitter
from ablate.data.batches import Batch, TrainingBatches, read, validation_batches
from ablate.spec import ColorJitter, Protocol

MakeProtocol = Callable[..., Protocol]
JITTER = ColorJitter(brightness=0.4, contrast=0.4, saturation=0.4, hue=0.1)
INDICES = [9, 1, 4, 7, 0, 3, 8, 2]
IMAGENET_MEAN = torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1)
IMAGENET_STD = torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)


@pytest.fixture
def prepared(tmp_path: Path) -> Prepared:
    """Read-only maps, as ``prepare`` gives them."""
    numbers = np.random.default_rng(0)
    np.save(tmp_path / "images", numbers.integers(0, 256, (10, 16, 16, 3)).astype(np.uint8))
    np.save(tmp_path / "masks", numbers.integers(0, 2, (10, 16, 16)).astype(np.uint8))
    return Prepared(
        np.load(tmp_path / "images.npy", mmap_mode="r"),
        np.load(tmp_path / "masks.npy", mmap_mode="r"),
        tuple("abcdefghij"),
    )


def assert_same(some: list[Batch], others: list[Batch]) -> None:
    assert [batch.indices for batch in some] == [batch.indices for batch in others]
    for one, other in zip(some, others, strict=True):
        assert torch.equal(one.images, other.images)
        assert torch.equal(one.masks, other.masks)


def test_validation_keeps_the_order_and_normalises(
    prepared: Prepared, make_protocol: MakeProtocol
) -> None:
    batches = list(validation_batches(prepared, INDICES, make_protocol(JITTER), 0, 1))
    assert [batch.indices for batch in batches] == [[9, 1, 4], [7, 0, 3], [8, 2]]
    batch = batches[0]
    assert batch.images.shape == (3, 3, 16, 16)
    assert batch.masks.shape == (3, 1, 16, 16)
    assert batch.images.dtype == batch.masks.dtype == torch.float32
    assert batch.images.is_contiguous()
    pixels = torch.tensor(prepared.images[1]).permute(2, 0, 1) / 255
    torch.testing.assert_close(batch.images[1], (pixels - IMAGENET_MEAN) / IMAGENET_STD)
    assert torch.equal(batch.masks[1, 0], torch.tensor(prepared.masks[1]).float())


def test_validation_images_are_jittered_only_where_the_protocol_says_so(
    prepared: Prepared, make_protocol: MakeProtocol
) -> None:
    everywhere = make_protocol(JITTER.model_copy(update={"images": "all"}))

    def first(protocol: Protocol, indices: list[int], seed: int, epoch: int) -> torch.Tensor:
        return next(validation_batches(prepared, indices, protocol, seed, epoch)).images[0]

    plain = first(make_protocol(JITTER), [4, 1], 0, 1)
    jittered = first(everywhere, [4, 1], 0, 1)
    assert not torch.equal(plain, jittered)
    assert torch.equal(jittered, first(everywhere, [4], 0, 1))
    for seed, epoch in ((1, 1), (0, 2)):
        assert not torch.equal(jittered, first(everywhere, [4, 1], seed, epoch))
    training = TrainingBatches(prepared, [4], everywhere, seed=0)
    assert not torch.equal(jittered, next(training.epoch(1)).images[0])


def test_an_epoch_sees_every_training_image_once(
    prepared: Prepared, make_protocol: MakeProtocol
) -> None:
    batches = TrainingBatches(prepared, INDICES, make_protocol(), seed=1)
    assert batches.steps_per_epoch == 3
    orders = []
    for epoch in (1, 2, 3):
        seen = [batch.indices for batch in batches.epoch(epoch)]
        assert [len(indices) for indices in seen] == [3, 3, 2]
        orders.append([index for indices in seen for index in indices])
        assert sorted(orders[-1]) == sorted(INDICES)
    assert len({tuple(order) for order in orders}) == 3


def test_without_jitter_an_image_is_the_same_as_in_validation(
    prepared: Prepared, make_protocol: MakeProtocol
) -> None:
    for batch in TrainingBatches(prepared, INDICES, make_protocol(), seed=1).epoch(1):
        [same] = validation_batches(prepared, batch.indices, make_protocol(), 0, 1)
        assert_same([batch], [same])


def test_masks_go_with_their_images(prepared: Prepared, make_protocol: MakeProtocol) -> None:
    for batch in TrainingBatches(prepared, INDICES, make_protocol(JITTER), seed=1).epoch(1):
        for mask, index in zip(batch.masks, batch.indices, strict=True):
            assert torch.equal(mask[0], torch.tensor(prepared.masks[index]).float())


@pytest.mark.parametrize("start_step", [0, 1, 2, 3])
def test_a_resumed_epoch_goes_on_bit_for_bit(
    prepared: Prepared, make_protocol: MakeProtocol, start_step: int
) -> None:
    whole = list(TrainingBatches(prepared, INDICES, make_protocol(JITTER), seed=5).epoch(2))
    resumed = TrainingBatches(prepared, INDICES, make_protocol(JITTER), seed=5)
    assert_same(list(resumed.epoch(2, start_step)), whole[start_step:])


def test_an_images_jitter_depends_on_seed_epoch_and_image_alone(
    prepared: Prepared, make_protocol: MakeProtocol
) -> None:
    def seen(seed: int, epoch: int, indices: list[int], batch_size: int) -> dict[int, torch.Tensor]:
        protocol = make_protocol(JITTER, batch_size)
        return {
            index: image
            for batch in TrainingBatches(prepared, indices, protocol, seed).epoch(epoch)
            for image, index in zip(batch.images, batch.indices, strict=True)
        }

    here = seen(5, 2, INDICES, 3)
    for index, image in seen(5, 2, [4, 9, 5], 2).items():
        assert index == 5 or torch.equal(image, here[index])
    for other in (seen(6, 2, INDICES, 3), seen(5, 3, INDICES, 3)):
        assert not any(torch.equal(here[index], other[index]) for index in INDICES)
    twins = Prepared(prepared.images[[0] * 10], prepared.masks, prepared.names)
    first, second = (
        image
        for batch in TrainingBatches(twins, [0, 1], make_protocol(JITTER), 5).epoch(1)
        for image in batch.images
    )
    assert not torch.equal(first, second)


def test_jitter_comes_before_normalisation(
    prepared: Prepared, make_protocol: MakeProtocol, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jitter, "choose", lambda ranges, numbers: [("brightness", 0.5)])
    [batch] = TrainingBatches(prepared, [3], make_protocol(JITTER), seed=1).epoch(1)
    pixels = torch.tensor(prepared.images[3]).permute(2, 0, 1) / 255
    torch.testing.assert_close(batch.images[0], (pixels / 2 - IMAGENET_MEAN) / IMAGENET_STD)


def test_global_generators_neither_decide_nor_move(
    prepared: Prepared, make_protocol: MakeProtocol
) -> None:
    runs = []
    for seed in (0, 1):
        random.seed(seed)
        np.random.seed(seed)
        torch.manual_seed(seed)
        before = (random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state())
        runs.append(list(TrainingBatches(prepared, INDICES, make_protocol(JITTER), 5).epoch(1)))
        assert random.getstate() == before[0]
        assert np.random.get_state()[1].tolist() == before[1]
        assert torch.equal(torch.get_rng_state(), before[2])
    assert_same(*runs)


def test_the_prepared_images_are_left_alone(
    prepared: Prepared, make_protocol: MakeProtocol
) -> None:
    before = prepared.images.copy()
    list(TrainingBatches(prepared, INDICES, make_protocol(JITTER), seed=1).epoch(1))
    np.testing.assert_array_equal(prepared.images, before)


def test_order_and_jitter_are_what_they_have_always_been(
    prepared: Prepared, make_protocol: MakeProtocol, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Other numbers are another meaning of the same key: raise ENGINE_VERSION with them.
    used: list[list[float]] = []
    monkeypatch.setattr(jitter, "choose", lambda ranges, numbers: used.append(numbers) or [])
    batches = TrainingBatches(prepared, INDICES, make_protocol(JITTER, batch_size=8), seed=0)
    assert next(batches.epoch(1)).indices == [2, 1, 8, 4, 0, 7, 3, 9]
    assert used[2][:4] == pytest.approx([0.263069, 0.283836, 0.279317, 0.824277], abs=1e-6)


def test_a_batch_is_torchvisions_bit_for_bit(
    prepared: Prepared, make_protocol: MakeProtocol, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Another way to compute it would change the results of keys that exist already.
    steps = [("contrast", 1.3), ("hue", 0.07), ("saturation", 0.8), ("brightness", 1.1)]
    monkeypatch.setattr(jitter, "choose", lambda ranges, numbers: steps)
    for batch in TrainingBatches(prepared, INDICES, make_protocol(JITTER), seed=1).epoch(1):
        for image, index in zip(batch.images, batch.indices, strict=True):
            pixels = (
                torch.tensor(prepared.images[index]).permute(2, 0, 1).contiguous().float() / 255
            )
            jittered = jitter.apply(pixels, steps)
            expected = functional.normalize(jittered, [0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
            assert torch.equal(image, expected)


def test_what_is_read_is_a_copy_of_the_bytes(prepared: Prepared) -> None:
    pixels = read(prepared, [4, 1, 4])
    assert pixels.indices == [4, 1, 4]
    assert pixels.images.dtype == pixels.masks.dtype == torch.uint8
    np.testing.assert_array_equal(pixels.images.numpy(), prepared.images[[4, 1, 4]])
    np.testing.assert_array_equal(pixels.masks.numpy(), prepared.masks[[4, 1, 4]])
    assert not np.shares_memory(pixels.images.numpy(), prepared.images)


# On another device than the CPU ------------------------------------------------------------

# Torch's device without values: where tensors go shows, and what they would hold does not.
META = torch.device("meta")


@pytest.fixture
def readers(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the threads that have read, one for each batch."""
    names: list[str] = []

    def noted(*args: object, **kwargs: bool) -> object:
        names.append(threading.current_thread().name)
        return read(*args, **kwargs)

    monkeypatch.setattr("ablate.data.batches.read", noted)
    return names


def test_only_for_another_device_a_thread_reads(
    prepared: Prepared, make_protocol: MakeProtocol, readers: list[str]
) -> None:
    protocol = make_protocol(JITTER.model_copy(update={"images": "all"}))
    here = [
        *TrainingBatches(prepared, INDICES, protocol, 5).epoch(2, 1),
        *validation_batches(prepared, INDICES, protocol, 5, 2),
    ]
    assert set(readers) == {threading.current_thread().name}
    readers.clear()
    there = [
        *TrainingBatches(prepared, INDICES, protocol, 5, META).epoch(2, 1),
        *validation_batches(prepared, INDICES, protocol, 5, 2, META),
    ]
    assert threading.current_thread().name not in readers
    assert [batch.indices for batch in there] == [batch.indices for batch in here]
    for batch, same in zip(there, here, strict=True):
        assert batch.images.device == batch.masks.device == META
        assert batch.images.shape == same.images.shape
        assert batch.masks.shape == same.masks.shape
        assert batch.images.dtype == batch.masks.dtype == torch.float32
        assert batch.images.is_contiguous()


def test_the_thread_that_reads_ends_with_the_batches(
    prepared: Prepared, make_protocol: MakeProtocol
) -> None:
    before = threading.enumerate()
    for _ in TrainingBatches(prepared, INDICES, make_protocol(), 5, META).epoch(1):
        assert len(threading.enumerate()) == len(before) + 1
        break
    assert threading.enumerate() == before


def test_what_the_thread_cannot_read_is_the_consumers_error(
    prepared: Prepared, make_protocol: MakeProtocol
) -> None:
    damaged = Prepared(prepared.images[:5], prepared.masks, prepared.names)
    before = threading.enumerate()
    batches = validation_batches(damaged, [4, 1, 0, 9], make_protocol(), 0, 1, META)
    assert next(batches).indices == [4, 1, 0]
    with pytest.raises(IndexError, match="index 9 is out of bounds"):
        next(batches)
    assert threading.enumerate() == before


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
def test_on_a_gpu_batches_are_the_cpus_but_for_rounding(
    prepared: Prepared, make_protocol: MakeProtocol
) -> None:
    here, there = (
        list(TrainingBatches(prepared, INDICES, make_protocol(JITTER), 5, device).epoch(1))
        for device in (torch.device("cpu"), torch.device("cuda:0"))
    )
    for batch, other in zip(here, there, strict=True):
        assert other.indices == batch.indices
        torch.testing.assert_close(other.images.cpu(), batch.images, rtol=0, atol=1e-4)
        assert torch.equal(other.masks.cpu(), batch.masks)
