"""Settings depend on seed and history alone."""

import warnings

import pytest

from ablate.errors import BadInput
from ablate.spec import Domain
from ablate.tune import SAMPLERS, Attempt, find_sampler
from ablate.tune.space import Space, rounded

SPACE: Space = {
    "optimizer.lr": (Domain(low=1e-4, high=1e-2, log=True), False),
    "optimizer.weight_decay": (Domain(low=0, high=1), False),
    "adapter.width": (Domain(choices=(4, 8, 16, 32)), True),
    "adapter.kernel_size": (Domain(low=1, high=9, step=2), True),
    "loss.bce": (Domain(low=0.0, high=0.35, step=0.1), False),
}


@pytest.fixture(autouse=True)
def strict() -> None:
    warnings.simplefilter("error")


def test_the_shared_sequence_does_not_depend_on_how_long_it_is() -> None:
    qmc = SAMPLERS["qmc"]
    long = qmc.sequence(SPACE, 0, 16)
    assert [qmc.sequence(SPACE, 0, count) for count in (1, 5)] == [long[:1], long[:5]]
    assert qmc.sequence(SPACE, 1, 1) != long[:1]


def test_the_shared_sequence_is_quasi_random_from_its_first_setting_on() -> None:
    """Of 16 scrambled Sobol points each quarter of each axis has four, choices included."""
    settings = SAMPLERS["qmc"].sequence(SPACE, 0, 16)
    widths = [setting["adapter.width"] for setting in settings]
    assert {width: widths.count(width) for width in widths} == {4: 4, 8: 4, 16: 4, 32: 4}
    decays = [int(4 * float(setting["optimizer.weight_decay"])) for setting in settings]
    assert sorted(decays) == [quarter for quarter in range(4) for _ in range(4)]


@pytest.mark.parametrize("name", SAMPLERS)
def test_settings_lie_in_the_space_and_can_be_typed(name: str) -> None:
    sampler = SAMPLERS[name]
    settings = sampler.sequence(SPACE, 3, 8) if sampler.is_shared else draw(name, 8)
    for setting in settings:
        assert setting.keys() == SPACE.keys()
        rate = setting["optimizer.lr"]
        assert isinstance(rate, float)
        assert 1e-4 <= rate <= 1e-2
        assert float(f"{rate:.4g}") == rate
        assert setting["adapter.kernel_size"] in (1, 3, 5, 7, 9)
        assert setting["loss.bce"] in (0.0, 0.1, 0.2, 0.3)
    assert len({str(setting) for setting in settings}) == 8


def draw(name: str, count: int, row: str = "a row", seed: int = 3) -> list[dict[str, object]]:
    """A row's settings, each told before the next; the third run fails."""
    sampler, attempts = SAMPLERS[name], []
    for number in range(count):
        setting = sampler.following(SPACE, seed, row, attempts)
        score = None if number == 2 else 1.0 - abs(float(setting["optimizer.lr"]) - 3e-3)
        attempts.append(Attempt(setting, score))
    return [attempt.setting for attempt in attempts]


@pytest.mark.parametrize("name", ["tpe", "random", "gp"])
def test_every_row_has_a_sequence_of_its_own(name: str) -> None:
    assert draw(name, 8) == draw(name, 8)
    assert draw(name, 2) != draw(name, 2, row="another")
    assert draw(name, 2) != draw(name, 2, seed=4)


def test_random_settings_do_not_look_at_outcomes() -> None:
    assert SAMPLERS["random"].row_sequence(SPACE, 3, "a row", 8) == draw("random", 8)


@pytest.mark.parametrize(("name", "count"), [("tpe", 40), ("gp", 20)])
def test_the_estimator_learns(name: str, count: int) -> None:
    """Later settings lie nearer to the best learning rate than those before them."""
    distances = [abs(float(setting["optimizer.lr"]) - 3e-3) for setting in draw(name, count)]
    quarter = count // 4
    assert sum(distances[-quarter:]) < sum(distances[:quarter])


@pytest.mark.parametrize("name", ["tpe", "gp"])
def test_a_setting_depends_on_the_history_alone(name: str) -> None:
    """As after a restart: a process that has proposed other settings before proposes the same."""
    sampler = SAMPLERS[name]
    attempts = [
        Attempt(setting, None if number == 2 else 0.1 * number)
        for number, setting in enumerate(draw("random", 7))
    ]
    proposed = sampler.following(SPACE, 3, "a row", attempts)
    draw(name, 8, row="another", seed=5)
    assert sampler.following(SPACE, 3, "a row", attempts) == proposed
    assert sampler.following(SPACE, 3, "a row", attempts[:-1]) != proposed


def test_a_value_that_comes_near_a_step_is_that_step() -> None:
    near = {"loss.bce": 6.9e-18}
    space: Space = {"loss.bce": SPACE["loss.bce"]}
    assert rounded(space, near) == {"loss.bce": 0.0}
    assert rounded(space, {"loss.bce": 0.30000000000000004}) == {"loss.bce": 0.3}


@pytest.mark.parametrize("sampler", SAMPLERS.values(), ids=lambda sampler: sampler.name)
def test_all_options_are_recorded(sampler) -> None:
    record = sampler.record(7)
    assert record.options == {"class": sampler.library_name, **sampler.options}
    assert (record.name, record.seed) == (sampler.name, 7)
    assert record.library.startswith("optuna ")


def test_what_does_not_exist_is_refused() -> None:
    with pytest.raises(BadInput, match="no sampler 'grid'; there are qmc, random, tpe, gp"):
        find_sampler("grid", 0)
    for seed in (-1, 2**32, True):
        with pytest.raises(BadInput, match=r"seed .* is out of range"):
            find_sampler("qmc", seed)
