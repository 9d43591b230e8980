"""Bad input: one clear line with the repair, exit code 2, nothing left behind."""

from pathlib import Path

import pytest

from cli.command import ablate

TABLE4 = ["run", "--grid", "table4"]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["run", "--grid", "tabel4"], "no sweep is called 'tabel4'; did you mean 'table4'?"),
        ([*TABLE4, "--protocol", "dmo"], "no protocol is called 'dmo'; did you mean 'demo'?"),
        ([*TABLE4, "--data", "nowhere"], "there is no folder nowhere; give the data set's folder"),
        (
            [*TABLE4, "--checkpoint", "sam.pth"],
            "protocol paper needs images and none are configured; give --data PATH, "
            "or run the demo with --protocol demo",
        ),
        (
            [*TABLE4, "--protocol", "paper"],
            "give --data PATH and --checkpoint sam_vit_l_0b3195.pth",
        ),
        (
            [*TABLE4, "--protocol", "demo", "--checkpoint", "sam.pth"],
            "backbone vit_nano does not take a checkpoint, but sam.pth is given",
        ),
        (
            ["run", "--grid", "table1", "--backbone-weights", "resnet50.pth"],
            "protocol paper needs images and none are configured; give --data PATH and "
            "--checkpoint sam_vit_l_0b3195.pth",
        ),
        (
            [*TABLE4, "--protocol", "demo", "--backbone-weights", "resnet50.pth"],
            "no row of this sweep is built on resnet50, but resnet50.pth is given",
        ),
        (
            ["plan", "--grid", "table1", "--protocol", "demo", "--backbone-weights", "mine.pth"],
            "mine.pth does not say which ResNet it is of; let its name begin with resnet50",
        ),
        (
            [*TABLE4, "--variant", "translandseg-77"],
            "not a row of the sweep: translandseg-77; its rows are translandseg-1",
        ),
        ([*TABLE4, "--seeds", "0;1"], "--seeds 0;1 is not a list of numbers"),
        ([*TABLE4, "--seeds", "9" * 5000], "error: a seed is too large; give whole numbers from 0"),
        ([*TABLE4, "--retry", "faild"], "'faild' does not say which runs are tried again; give"),
        ([*TABLE4, "--retry", "diverged"], "the same seed would diverge again; train its row with"),
        ([*TABLE4, "--ray-address", "a:1"], "--ray-address a:1 is not for --executor local; add"),
        (
            [*TABLE4, "--executor", "ray", "--ray-address", "a"],
            "[executor.ray] address: Value error, 'a' is not an address; give HOST:PORT",
        ),
        ([*TABLE4, "--executor", "locl"], "there is no executor 'locl'; there are inline, local"),
        (
            ["report", "--grid", "table4", "--format", "markdwn"],
            "no report format is called 'markdwn'; did you mean 'markdown'?; use one of",
        ),
        ([*TABLE4, "--seeds", "0,0"], "seed 0 appears twice"),
        ([*TABLE4, "--set", "epoch=3"], "--set epoch=3: unknown key 'epoch'; did you mean"),
        ([*TABLE4, "--device", "abacus"], "device 'abacus' cannot be used; there are "),
        (["report", "--grid", "table4"], "sweep table4 was never started in"),
        (["status"], "no sweep was started in ablate-store"),
        (["variants", "show", "transland"], "no variant is called 'transland'; did you mean"),
        (["ui"], "no MLflow database"),
        (["logs", "0123"], "no run is called '0123' in"),
        (["cancel"], "there is no store"),
        (["gc", "--remove"], "there is no store"),
    ],
    ids=lambda value: " ".join(value)[:80] if isinstance(value, list) else "",
)
def test_one_line_and_nothing_left(tmp_path: Path, words: list[str], expected: str) -> None:
    done = ablate(tmp_path, *words)
    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1
    assert expected in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_data_without_a_checkpoint_is_never_a_silent_demo(tmp_path: Path) -> None:
    for folder in ("image", "mask"):
        (tmp_path / "landslide" / folder).mkdir(parents=True)
    paper = ablate(tmp_path, *TABLE4, "--data", ".", "--protocol", "paper")
    assert "vit_l needs SAM's weights and none are configured" in paper.stderr
    assert "give --checkpoint PATH" in paper.stderr
    nano = ablate(tmp_path, *TABLE4, "--data", ".")
    assert "no images in landslide/image" in nano.stderr
    for done in (paper, nano):
        assert (done.returncode, done.stdout) == (2, "")
    assert [path.name for path in tmp_path.iterdir()] == ["landslide"]


def test_a_broken_variant_stops_everything_with_all_its_problems(tmp_path: Path) -> None:
    (tmp_path / "variants").mkdir()
    (tmp_path / "variants" / "translandseg-1.yaml").write_text(
        "extends: translandseg\nadapter: {placement: outsde, widht: 3}\n"
    )
    done = ablate(tmp_path, *TABLE4)
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        "error: variants/translandseg-1.yaml:2: adapter.placement is 'outsde'; "
        "did you mean 'outside'?",
        "error: variants/translandseg-1.yaml:2: unknown key 'adapter.widht'; did you mean 'width'?",
    ]
    check = ablate(tmp_path, "variants", "check")
    assert check.returncode == 2
    assert "did you mean 'outside'?" in check.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["variants"]


def test_a_report_does_not_take_the_place_of_a_folder(tmp_path: Path, started_store: Path) -> None:
    folder = tmp_path / "folder"
    (folder / "reports").mkdir(parents=True)
    words = ["report", "--grid", "table4", "--store", str(started_store)]
    for more in (["--out", "."], ["--out", "reports"]):
        done = ablate(folder, *words, *more)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.endswith(" is a folder; give the name of a file\n")
        assert done.stderr.count("\n") == 1
        assert [path.name for path in folder.rglob("*")] == ["reports"]


def test_a_store_that_is_a_file_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "store").touch()
    done = ablate(tmp_path, *TABLE4, "--store", "store")
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1
    assert "store" in done.stderr
    assert "Not a directory" in done.stderr


def test_a_broken_torch_is_one_line(tmp_path: Path) -> None:
    broken = tmp_path / "torch"
    broken.mkdir()
    (broken / "__init__.py").write_text("raise OSError('libcudnn.so: cannot open')\n")
    done = ablate(tmp_path, *TABLE4, "--device", "cpu", PYTHONPATH=str(tmp_path))
    assert done.returncode == 2
    assert done.stderr == (
        "error: torch cannot be imported: libcudnn.so: cannot open; see `ablate doctor`\n"
    )
