"""Which errors say that memory is short, and what makes room after one."""

import errno
import gc

import torch

from ablate.errors import OutOfMemory

# PyTorch has an exception of its own for accelerators only, and libraries below it have others:
# the allocator of the CPU, CUDA's own calls, cuBLAS and cuDNN.
_TEXTS = (
    "out of memory",
    "can't allocate memory",
    "not enough memory",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "CUDNN_STATUS_ALLOC_FAILED",
)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an exception says that memory could not be had."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError | OutOfMemory):
        return True
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    return isinstance(error, RuntimeError) and any(text in str(error) for text in _TEXTS)


def make_room(device: torch.device) -> None:
    """Gives back what the failed attempt has left, to other processes as well.

    Call it outside of the ``except`` block: while the exception is handled, its frames hold the
    tensors (https://docs.pytorch.org/docs/stable/notes/faq.html).
    """
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
