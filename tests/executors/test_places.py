"""How many cohorts go on a device, by what workers report; no process is started."""

from ablate.executors.places import CohortsPerDevice, MemoryReport, Occupant, Places

GB = 2**30
GPU = "cuda:0"


def working(places: Places, device: str = GPU, kind: str = "sam", alone: bool = False) -> Occupant:
    occupant = places.enter(device)
    places.begin(occupant, kind, is_alone=alone)
    return occupant


def allowed(
    places: Places, device: str = GPU, kind: str | None = "sam", alone: bool = False
) -> bool:
    return places.allow(device, kind, is_alone=alone)


def test_by_default_there_is_one_for_each_name() -> None:
    places = Places(["cpu", "cpu", GPU], 1)
    assert places.devices == ("cpu", GPU)
    for device, count in (("cpu", 2), (GPU, 1)):
        for _ in range(count):
            assert allowed(places, device)
            places.report(working(places, device), MemoryReport(0, 1000 * GB))
        assert not places.are_shared(device)
        assert not allowed(places, device)


def test_the_lease_is_held_until_the_first_step() -> None:
    places = Places([GPU], "auto")
    first = working(places)
    assert not allowed(places)
    places.report(first, MemoryReport(8 * GB, 70 * GB))
    assert allowed(places)
    second = working(places)
    assert places.has_company(second)
    assert not allowed(places)
    places.report(second, MemoryReport(8 * GB, 62 * GB))
    assert allowed(places)


def test_a_lease_ends_with_its_cohort() -> None:
    places = Places([GPU], "auto")
    first = working(places)
    places.report(first, MemoryReport(8 * GB, 70 * GB))
    second = working(places)
    # Its process is killed before the first step.
    places.leave(second)
    assert allowed(places)
    # The cohort has ended, and its process has not yet.
    third = working(places)
    places.end(third)
    assert not allowed(places)
    places.leave(third)
    assert allowed(places)


def test_what_is_free_must_be_more_than_the_largest_of_a_kind_has_taken() -> None:
    places = Places([GPU], "auto")
    occupant = working(places)
    places.report(occupant, MemoryReport(8 * GB, 11 * GB))
    assert allowed(places)
    places.report(occupant, MemoryReport(8 * GB, 11 * GB - 1))
    assert not allowed(places)
    places.report(occupant, MemoryReport(4 * GB, 11 * GB - 1))
    assert not allowed(places)


def test_a_cohort_that_has_ended_leaves_its_room_to_the_next() -> None:
    places = Places([GPU], "auto")
    first = working(places)
    places.report(first, MemoryReport(8 * GB, 12 * GB))
    second = working(places)
    places.report(second, MemoryReport(8 * GB, 4 * GB))
    places.end(first)
    # In the process that has ended its cohort.
    assert places.allow(GPU, "sam", is_alone=False, worker=first)
    places.begin(first, "sam", is_alone=False)
    places.report(first, MemoryReport(8 * GB, 4 * GB))
    assert not allowed(places)
    # In another one, once that has ended.
    places.leave(second)
    assert allowed(places)


def test_one_of_another_kind_waits_for_an_empty_device() -> None:
    places = Places([GPU], "auto")
    first = working(places)
    places.report(first, MemoryReport(GB, 70 * GB))
    assert not allowed(places, kind="cnn")
    assert not allowed(places, kind=None)
    places.leave(first)
    assert allowed(places, kind="cnn")


def test_one_that_must_be_alone_is_alone() -> None:
    places = Places([GPU], "auto")
    first = working(places)
    places.report(first, MemoryReport(GB, 70 * GB))
    assert not allowed(places, alone=True)
    # The process that has ended its cohort may take it.
    assert places.allow(GPU, "sam", is_alone=True, worker=first)
    places.leave(first)
    assert allowed(places, alone=True)
    second = working(places, alone=True)
    assert not allowed(places)
    places.leave(second)
    assert allowed(places)


def test_the_emptiest_device_comes_first() -> None:
    places = Places([GPU, "cuda:1", "cuda:2"], "auto")
    working(places, GPU)
    working(places, "cuda:1")
    assert places.devices == ("cuda:2", GPU, "cuda:1")


def test_a_number_is_a_limit_and_a_cpu_is_never_shared_by_itself() -> None:
    def most(device: str, cohorts_per_device: CohortsPerDevice, times: int = 1) -> int:
        places = Places([device] * times, cohorts_per_device)
        while allowed(places, device) and len(places._occupants) < 10:
            places.report(working(places, device), MemoryReport(GB, 70 * GB))
        return len(places._occupants)

    assert most(GPU, 3) == most("cpu", 3) == 3
    assert most(GPU, 2, times=2) == 4
    assert most("cpu", "auto") == 1
    assert most(GPU, "auto") == 10
