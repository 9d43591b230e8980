"""Rooms that load their names when these are first used."""

import importlib
import pkgutil
import subprocess
import sys

import pytest

ROOMS = ("ablate.study", "ablate.report", "ablate.data", "ablate.executors")


@pytest.mark.parametrize("room", ROOMS)
def test_no_name_is_that_of_a_module_beside_it(room: str) -> None:
    # The module, once it is loaded, would take the place of what the name stands for.
    package = importlib.import_module(room)
    assert package.__all__
    modules = {found.name for found in pkgutil.iter_modules(package.__path__)}
    assert modules.isdisjoint(package.__all__)


@pytest.mark.parametrize("room", ROOMS)
def test_every_name_can_be_loaded(room: str) -> None:
    package = importlib.import_module(room)
    assert all(getattr(package, name) is not None for name in package.__all__)


@pytest.mark.parametrize("room", ROOMS)
def test_the_room_itself_loads_none_of_its_modules(room: str) -> None:
    code = (
        f"import sys, {room}; print([name for name in sys.modules if name.startswith('{room}.')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
