"""SIGKILL of the whole process group at drawn instants: nothing is lost, repeated or left."""

from pathlib import Path

from chaos.kills import torment
from chaos.phases import PHASES

KILLS = 6


def test_a_sweep_survives_kills_at_any_moment(
    tmp_path: Path, undisturbed: dict[str, object]
) -> None:
    figures = torment(tmp_path, undisturbed, seed=0, kills=KILLS)
    assert figures.is_clean, figures.text()
    # How many sweeps the kills are spread over depends on the machine's speed.
    assert (figures.kills, figures.runs) == (KILLS, 4 * figures.sweeps)
    assert figures.values()["by_phase"].keys() == {phase.name for phase in PHASES}
    assert sum(figures.by_phase.values()) == KILLS
    assert f"kills survived: {KILLS} (" in figures.text()
