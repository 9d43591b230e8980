"""The same models on several devices, which share the work; memory that is short on one."""

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from queue import SimpleQueue
from types import TracebackType
from typing import Any, Self, TypeVar

import numpy as np
import numpy.typing as npt
import torch

from ablate.errors import OutOfMemory, RunFailed
from ablate.models.out_of_memory import is_out_of_memory, make_room
from ablate.predict.trained import TrainedModel, batch_logits

Say = Callable[[str], None]
_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


class Copy:
    """A row's models on one device.

    Args:
        models: One, or several whose mean is taken.
        say: Is told in a line what the user should know.
        item: What a line calls an image.
        at_once: Images at once at most; None: as many as are given.

    Attributes:
        at_once: The same, after what memory has allowed so far.
    """

    def __init__(
        self,
        models: Sequence[TrainedModel],
        say: Say,
        item: str = "window",
        at_once: int | None = None,
    ) -> None:
        """Computes nothing yet."""
        self.models = models
        self.at_once = at_once
        self._device = models[0].device
        self._say = say
        self._item = item

    def logits(self, images: npt.NDArray[np.uint8]) -> torch.Tensor:
        """See ``batch_logits``; where memory is short, fewer images at once from now on.

        Raises:
            OutOfMemory: If not even one fits.
            RunFailed: If the device fails.
        """
        parts, begin = [], 0
        while begin < len(images):
            count = min(self.at_once or len(images), len(images) - begin)
            part = images[begin : begin + count]
            found = self.attempt(partial(batch_logits, self.models, part))
            if found is None:
                self._halve(count)
                continue
            parts.append(found)
            begin += count
        return parts[0] if len(parts) == 1 else torch.cat(parts, dim=1)

    def attempt(self, compute: Callable[[], _Result]) -> _Result | None:
        """What is computed; None where memory is too short for it.

        Raises:
            RunFailed: If the device fails.
        """
        try:
            return compute()
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                if self._device.type == "cpu" and not isinstance(error, torch.AcceleratorError):
                    raise
                why = str(error).strip().partition("\n")[0]
                raise RunFailed(
                    f"{self._device} failed ({why}); try again, or name another --device: what is "
                    "finished is kept"
                ) from error
        # Not while the exception is handled, whose frames hold tensors.
        make_room(self._device)
        return None

    def too_short(self) -> OutOfMemory:
        """The error of memory that is too short for one image."""
        side = self.models[0].size_px
        return OutOfMemory(
            f"one image of {side}×{side} pixels does not fit into the memory of {self._device}",
            "use a --device with more memory, or end what else uses it",
        )

    def _halve(self, count: int) -> None:
        if count == 1:
            raise self.too_short()
        self.at_once = count // 2
        items = self._item if self.at_once == 1 else f"{self._item}s"
        self._say(
            f"{self._device} has too little memory for {count} {self._item}s at once: "
            f"{self.at_once} {items} at once from now on"
        )


class ModelPool:
    """Copies of a row's models, one for each device, each with a thread of its own.

    Args:
        copies: A device's models each; a device that is there twice computes twice at a time.
        say: Is told in a line what the user should know, from any thread.

    Attributes:
        models: How many models a copy has.
    """

    def __init__(self, copies: Sequence[Sequence[TrainedModel]], say: Say) -> None:
        """Starts no thread yet."""
        self.models = len(copies[0])
        self._count = len(copies)
        self._own = threading.local()
        self._free: SimpleQueue[Copy] = SimpleQueue()
        for models in copies:
            self._free.put(Copy(models, say))
        self._threads = ThreadPoolExecutor(self._count, "device", self._take)

    def __enter__(self) -> Self:
        """Gives itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Waits for what is being computed; what is not begun is left."""
        self._threads.shutdown(cancel_futures=True)

    def map(
        self, work: Callable[[Copy, _Item], _Result], items: Iterable[_Item]
    ) -> Iterator[_Result]:
        """What ``work`` gives for each item, in order.

        Only as many items are taken before their results are as keep all devices busy.
        """
        pending: deque[Future[_Result]] = deque()
        try:
            for item in items:
                pending.append(self._threads.submit(self._call, work, item))
                if len(pending) > self._count:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            for future in pending:
                future.cancel()

    def _take(self) -> None:
        self._own.copy = self._free.get()

    def _call(self, work: Callable[[Copy, Any], Any], item: object) -> Any:
        return work(self._own.copy, item)
