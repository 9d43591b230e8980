"""What a run's folder says of the code that made it."""

import importlib.util
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from ablate.plan import provenance
from ablate.plan.provenance import with_packages_of
from other_variants import peft_variant
from structures import DECODER_ONLY


def test_versions_are_those_that_are_installed() -> None:
    made = provenance()
    assert made.ablate == version("ablate")
    assert made.packages["torch"] == version("torch")


def test_a_row_names_the_packages_that_only_it_needs() -> None:
    origin = provenance()
    assert "peft" not in with_packages_of(DECODER_ONLY, origin).packages
    if importlib.util.find_spec("peft") is None:
        pytest.skip("peft is not installed")
    packages = with_packages_of(peft_variant(), origin).packages
    assert packages == origin.packages | {"peft": version("peft")}


def test_the_commit_is_that_of_the_checkout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = tmp_path / "ablate" / "plan" / "provenance.py"
    module.parent.mkdir(parents=True)
    module.touch()
    # The function has the name of its module.
    monkeypatch.setattr(sys.modules["ablate.plan.provenance"], "__file__", str(module))
    assert provenance().commit is None
    if shutil.which("git") is None:
        pytest.skip("there is no git")

    def git(*words: str) -> str:
        identity = ["-c", "user.name=N", "-c", "user.email=n@example.com"]
        command = ["git", "-C", str(tmp_path), *identity, *words]
        return subprocess.run(command, capture_output=True, check=True, text=True).stdout.strip()

    git("init", "--quiet")
    git("add", ".")
    git("commit", "--quiet", "--message", "First")
    commit = git("rev-parse", "HEAD")
    assert provenance().commit == commit
    module.write_text("changed")
    assert provenance().commit == f"{commit}+changes"
