import getpass
import importlib.util
import platform
import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from ablate.models.sam import sam_without_weights
from ablate.spec import BACKBONES

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


def loaded(name: str, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A file of the folder as a module, which finds its neighbours as it does when it is run."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    found = importlib.util.spec_from_file_location(f"bench_{name}", BENCHMARKS / f"{name}.py")
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    monkeypatch.setitem(sys.modules, found.name, module)
    found.loader.exec_module(module)
    return module


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    return loaded("__main__", monkeypatch)


@pytest.fixture
def orchestration(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    return loaded("orchestration", monkeypatch)


def test_every_script_is_in_the_standard_run(bench: ModuleType) -> None:
    listed = {each.script for each in bench.STANDARD}
    assert listed == {path.name for path in BENCHMARKS.glob("[!_]*.py")}


def test_the_readme_names_every_script(bench: ModuleType) -> None:
    text = (BENCHMARKS / "README.md").read_text()
    assert [each.script for each in bench.STANDARD if f"| `{each.script}` |" not in text] == []


def test_a_script_that_fails_is_named_and_the_rest_runs(
    bench: ModuleType,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = tmp_path / "benchmarks"
    folder.mkdir()
    (folder / "bad.py").write_text('"""Bad."""\nprint("half a table", flush=True)\n1 / 0\n')
    (folder / "good.py").write_text('"""Good."""\nimport sys\nprint(sys.argv[1:])\n')
    chosen = (bench.Benchmark("bad.py"), bench.Benchmark("good.py", "--rounds 3"))
    monkeypatch.setattr(bench, "HERE", folder)
    monkeypatch.setattr(bench, "STANDARD", chosen)
    monkeypatch.setattr(sys, "argv", ["benchmarks", "--out", "mine"])
    assert bench.main() == 1
    text = (folder / "results" / "mine.md").read_text()
    assert text == capsys.readouterr().out
    _, bad, good = text.split("\n## ")
    assert "half a table\n\n**Failed** with exit status 1." in bad
    assert "```\npython benchmarks/good.py --rounds 3\n```" in good
    assert "['--rounds', '3']" in good
    assert "Failed" not in good
    monkeypatch.setattr(sys, "argv", ["benchmarks", "--only", "good"])
    assert bench.main() == 0


def test_a_script_that_is_not_there_has_failed(
    bench: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench, "HERE", tmp_path)
    text, good = bench.section(bench.Benchmark("none.py"))
    assert not good
    assert "**Failed**" in text
    assert str(tmp_path) not in text


def test_the_machine_is_described_without_names(bench: ModuleType) -> None:
    text = bench.machine()
    assert platform.system() in text
    assert bench.torch.__version__ in text
    cells = set(text.replace("\n", " ").split())
    assert not {platform.node(), platform.release(), getpass.getuser()} & cells
    assert str(Path.home()) + "/" not in text
    assert str(BENCHMARKS.parent) not in text


@pytest.mark.parametrize("name", ["../up", "a/b", "", ".hidden"])
def test_results_stay_in_their_folder(
    bench: ModuleType, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["benchmarks", "--out", name])
    with pytest.raises(SystemExit, match="2"):
        bench.main()


# limit.py -------------------------------------------------------------------


def test_needed_work_is_what_sams_own_blocks_multiply(monkeypatch: pytest.MonkeyPatch) -> None:
    limit = loaded("limit", monkeypatch)
    # SAM-nano's windows fill its map: nothing is padded. Terms of position are left out.
    blocks = sam_without_weights("vit_nano").image_encoder.blocks.requires_grad_(False)
    for block in blocks:
        block.attn.use_rel_pos = False
    x = torch.zeros(1, 8, 8, BACKBONES["vit_nano"].width, device="meta", requires_grad=True)
    with FlopCounterMode(display=False) as forward:
        out = torch.nn.Sequential(*blocks)(x)
    with FlopCounterMode(display=False) as backward:
        torch.autograd.grad(out, x, torch.ones_like(out))
    once, whole = limit.needed_gflop("vit_nano")
    assert once * 1e9 == pytest.approx(forward.get_total_flops())
    assert (whole - once) * 1e9 == pytest.approx(backward.get_total_flops())


# orchestration.py -----------------------------------------------------------------------------


def test_what_would_take_too_long_is_not_run_and_ours_always_is(
    orchestration: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[tuple[str, int, float | None]] = []

    def slow(name: str, count: int, limit_s: float | None) -> dict[str, float]:
        started.append((name, count, limit_s))
        return {"all": 0.1 * count}

    monkeypatch.setattr(orchestration, "measured", slow)
    table = orchestration.measure_all(["ablate, inline", "Peer"], [10, 100, 1000], 3, 20.0)
    assert table["Peer", 1000].missing == "not run"
    assert len(table["Peer", 100].spent) == 2  # a third would pass the limit
    assert ("Peer", 100, 20.0) in started
    assert started.count(("ablate, inline", 1000, None)) == 1


def test_a_tool_that_fails_or_is_stopped_is_called_so(
    orchestration: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def ending(name: str, count: int, limit_s: float | None) -> dict[str, float]:
        if name == "ablate, inline":
            return {"all": 1.0}
        raise TimeoutError if name == "Slow" else orchestration.Failed("the log")

    monkeypatch.setattr(orchestration, "measured", ending)
    names = ["ablate, inline", "Slow", "Broken"]
    table = orchestration.measure_all(names, [10, 100], 1, 60.0)
    orchestration.print_table(names, [10, 100], table)
    captured = capsys.readouterr()
    assert "| ablate, inline | 100.00 (100.00…100.00) · 1.00× |" in captured.out
    assert "| Slow | stopped | not run |" in captured.out
    assert "| Broken | failed | not run |" in captured.out
    assert "the log" in captured.err
