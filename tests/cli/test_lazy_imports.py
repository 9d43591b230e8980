"""What only plans, lists or reports loads no heavy library."""

import ast
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

import ablate
from ablate.cli.app import COMMANDS
from cli.command import environment

HEAVY = (
    *("torch", "torchvision", "mlflow", "optuna", "ray", "submitit", "pandas", "sklearn"),
    *("statsmodels", "matplotlib", "numpy", "PIL"),
)
PROGRAM = f"""
import sys
sys.argv = ["ablate", *sys.argv[1:]]
try:
    from ablate.cli import main
    main()
except SystemExit as leave:
    # 3: nothing can be told of claims whose rows have no result.
    assert leave.code in (0, None, 3), leave.code
loaded = sorted(set({HEAVY!r}) & set(sys.modules))
sys.exit(f"loaded: {{loaded}}" if loaded else 0)
"""


@pytest.mark.parametrize(
    "words",
    [
        ["--help"],
        ["--version"],
        ["run", "--help"],
        ["tune", "--help"],
        ["variants", "list"],
        ["variants", "check"],
        ["published", "check"],
        ["plan", "--grid", "table4"],
        ["run", "--grid", "table4", "--dry-run"],
        ["status", "--store", "STORE"],
        ["report", "--grid", "table4", "--store", "STORE"],
        ["check", "--grid", "table4", "--store", "STORE"],
    ],
    ids=" ".join,
)
def test_nothing_heavy_is_loaded(words: list[str], tmp_path: Path, started_store: Path) -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            PROGRAM,
            *(str(started_store) if w == "STORE" else w for w in words),
        ],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("words", "modules"),
    [
        (["--help"], set()),
        (["--version"], set()),
        (["pln"], set()),
        (["published", "--help"], {"published"}),
        (["status", "--help"], {"status"}),
        (["variants", "--help"], {"variants"}),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_only_the_command_that_is_used_is_loaded(
    words: list[str], modules: set[str], tmp_path: Path
) -> None:
    program = f"""
import sys
sys.argv = ["ablate", *{words!r}]
try:
    from ablate.cli import main
    main()
except SystemExit:
    pass
print("loaded:", *sorted(sys.modules))
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = set(done.stdout.splitlines()[-1].split())
    used = {listed.place.partition(":")[0] for listed in COMMANDS.values()} & loaded
    assert used == {f"ablate.cli.{module}" for module in modules}
    if not modules:
        assert not {"ablate.spec", "yaml", "numpy", "rich.console"} & loaded


def test_a_report_loads_no_rich(tmp_path: Path, started_store: Path) -> None:
    program = PROGRAM.replace(repr(HEAVY), "('rich', 'filelock', 'numpy')")
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            program,
            "report",
            "--grid",
            "table4",
            "--store",
            str(started_store),
        ],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_the_end_is_quick_and_plug_ins_of_pydantic_are_a_choice() -> None:
    # What is registered first is called last.
    program = """
import atexit, gc, os, sys
atexit.register(lambda: print(gc.get_freeze_count() > 0, os.environ["PYDANTIC_DISABLE_PLUGINS"]))
sys.argv = ["ablate", "--version"]
from ablate.cli import main
main()
"""
    for given, used in (({}, "__all__"), ({"PYDANTIC_DISABLE_PLUGINS": "mine"}, "mine")):
        done = subprocess.run(
            [sys.executable, "-c", program],
            env=environment() | given,
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout.splitlines()[-1] == f"True {used}"


def test_importing_ablate_loads_nothing_heavy() -> None:
    program = f"import ablate, sys; sys.exit(bool(set({HEAVY!r}) & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_the_version_is_looked_up_when_it_is_asked_for() -> None:
    assert "__version__" not in vars(ablate)
    assert ablate.__version__ == version("ablate")
    with pytest.raises(AttributeError, match="no attribute 'vesrion'"):
        _ = ablate.vesrion


def test_no_name_of_a_room_is_that_of_another_modules_file() -> None:
    """Importing the file would set the room's attribute to the module, whatever it was before."""
    for stub in Path(ablate.__file__).parent.rglob("__init__.pyi"):
        source = ast.parse(stub.read_text(encoding="utf-8"))
        for statement in source.body:
            if isinstance(statement, ast.ImportFrom):
                names = {alias.asname or alias.name for alias in statement.names}
                shadowed = {each for each in names if (stub.parent / f"{each}.py").exists()}
                assert shadowed <= {statement.module}, stub
