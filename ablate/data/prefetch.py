"""Preparing the next item while the last one is used."""

from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

T = TypeVar("T")


def prefetched(items: Iterator[T]) -> Generator[T, None, None]:
    """The same items in the same order, each made by a thread while its predecessor is used.

    The thread is never more than one item ahead. It ends with the generator, also when that is
    closed early or the consumer fails; closing waits for the item under way.

    Args:
        items: Read by that thread alone.

    Raises:
        Exception: What ``items`` raise, in place of the item.
    """
    with ThreadPoolExecutor(1, "prefetch") as thread:
        ahead = thread.submit(_one, items)
        while item := ahead.result():
            ahead = thread.submit(_one, items)
            yield from item


def _one(items: Iterator[T]) -> list[T]:
    """The next item; nothing at the end."""
    return list(islice(items, 1))
