import subprocess
import sys
import threading
from collections.abc import Generator, Iterator

import pytest

from ablate.data.prefetch import prefetched

PATIENCE_S = 20.0


@pytest.fixture(autouse=True)
def no_thread_left() -> Iterator[None]:
    before = threading.enumerate()
    yield
    assert threading.enumerate() == before


class Counting:
    """Numbers from 0 on, which can be waited for; those of ``wrong`` are errors."""

    def __init__(self, count: int, wrong: int | None = None) -> None:
        self.made = [threading.Event() for _ in range(count)]
        self.threads: set[int] = set()
        self.wrong = wrong

    def __iter__(self) -> Generator[int, None, None]:
        for number, made in enumerate(self.made):
            self.threads.add(threading.get_ident())
            made.set()
            if number == self.wrong:
                raise OSError(f"item {number} cannot be read")
            yield number


@pytest.mark.parametrize("count", [0, 1, 2, 50])
def test_everything_comes_once_and_in_order(count: int) -> None:
    assert list(prefetched(iter(Counting(count)))) == list(range(count))


def test_items_that_are_false_are_no_end() -> None:
    assert list(prefetched(iter([0, "", None, []]))) == [0, "", None, []]


def test_the_next_item_is_made_while_one_is_used_and_no_more() -> None:
    items = Counting(4)
    numbers = prefetched(iter(items))
    assert not items.made[0].is_set()
    for number in numbers:
        if number < 3:
            # A consumer that waits for what comes next would wait forever without the thread.
            assert items.made[number + 1].wait(PATIENCE_S)
        assert not any(made.is_set() for made in items.made[number + 2 :])
    assert len(items.threads) == 1
    assert threading.get_ident() not in items.threads


@pytest.mark.parametrize("wrong", [0, 2])
def test_an_error_comes_in_the_place_of_its_item(wrong: int) -> None:
    numbers = prefetched(iter(Counting(4, wrong)))
    assert [next(numbers) for _ in range(wrong)] == list(range(wrong))
    with pytest.raises(OSError, match=f"item {wrong} cannot be read"):
        next(numbers)
    assert list(numbers) == []


def test_closing_early_ends_the_thread() -> None:
    items = Counting(100)
    numbers = prefetched(iter(items))
    assert next(numbers) == 0
    numbers.close()
    assert not items.made[2].is_set()


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_consumer_that_fails_ends_the_thread(error: type[BaseException]) -> None:
    def consume() -> None:
        for _ in prefetched(iter(Counting(100))):
            raise error

    with pytest.raises(error):
        consume()


def test_an_error_that_nobody_comes_for_is_dropped() -> None:
    items = Counting(4, wrong=1)
    numbers = prefetched(iter(items))
    next(numbers)
    assert items.made[1].wait(PATIENCE_S)
    numbers.close()


def test_a_process_ends_although_nobody_closed() -> None:
    script = (
        "from itertools import count\n"
        "from ablate.data.prefetch import prefetched\n"
        "numbers = prefetched(count())\n"
        "print(next(numbers))\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, timeout=PATIENCE_S, check=True
    )
    assert (ended.stdout, ended.stderr) == (b"0\n", b"")
