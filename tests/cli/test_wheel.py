"""A built wheel, installed elsewhere, finds its catalogue and its published values."""

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from cli.command import environment

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, unpacked into a folder of its own."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, ROOT],
        check=True,
        capture_output=True,
    )
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


def python(installed: Path, folder: Path, *words: str) -> str:
    done = subprocess.run(
        [sys.executable, *words],
        cwd=folder,
        env=environment() | {"PYTHONPATH": str(installed)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_it_is_the_installed_one_that_runs(installed: Path, tmp_path: Path) -> None:
    where = python(installed, tmp_path, "-c", "import ablate; print(ablate.__file__)")
    assert Path(where.strip()).is_relative_to(installed)


def test_every_variant_sweep_and_protocol_is_found_in_it(installed: Path, tmp_path: Path) -> None:
    program = (
        "import json; from ablate.registry import Catalogue; c = Catalogue(); "
        "files = [c.variant_files, c.sweep_files, c.protocol_files]; "
        "print(json.dumps([[str(path) for path in each.values()] for each in files]))"
    )
    found = json.loads(python(installed, tmp_path, "-c", program))
    for paths, folder in zip(found, ("variants", "sweeps", "sweeps/protocols"), strict=True):
        assert {Path(path).name for path in paths} == {
            path.name for path in (ROOT / folder).glob("*.yaml")
        }
        assert all(Path(path).is_relative_to(installed) for path in paths)


def test_the_catalogue_in_it_is_whole(installed: Path, tmp_path: Path) -> None:
    checked = python(installed, tmp_path, "-m", "ablate", "variants", "check")
    assert "no problem" in checked
    plan = python(
        installed, tmp_path, "-m", "ablate", "plan", "--grid", "table4", "--format", "json"
    )
    assert len(json.loads(plan)["runs"]) == 10


def test_published_values_are_found(installed: Path, tmp_path: Path) -> None:
    program = (
        "from ablate.report import load_scores; "
        "print(load_scores('table4').rows['translandseg'].values['miou'])"
    )
    assert python(installed, tmp_path, "-c", program).strip() == "88.1"


def test_the_files_of_the_page_are_in_it(installed: Path) -> None:
    inside, ours = (folder / "ablate" / "report" / "page" for folder in (installed, ROOT))
    names = [
        {path.name for path in folder.iterdir() if path.is_file()} for folder in (inside, ours)
    ]
    assert names[0] == names[1] > {"template.html", "page.css", "start.js"}


def test_the_wheel_carries_no_tests_and_no_reports_of_ours(installed: Path) -> None:
    names = {path.relative_to(installed).parts[0] for path in installed.rglob("*")}
    assert {name for name in names if not name.startswith("ablate")} == set()
    assert not list(installed.rglob("table4.md"))


def test_sam_nanos_weights_are_in_it(installed: Path, tmp_path: Path) -> None:
    code = "from ablate.models import load_weights; print(len(load_weights('vit_nano', None)))"
    assert int(python(installed, tmp_path, "-c", code)) > 100
