"""What a machine that has PyTorch lacks for the GPU's benchmark, as wheels: under 60 MiB.

On a machine with a network ``python benchmarks/gpu/prepare.py`` collects them, in the versions that
the tests run with. It then says the line that installs them beside PyTorch, in a folder of its own,
and measures; that line needs no network. PyTorch and torchvision with what they need, and SciPy,
are the other machine's; ``--with scipy`` brings SciPy along.
"""

import argparse
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]
FOLDER = Path("benchmarks/gpu/wheels")
SITE = Path("benchmarks/gpu/site")
# What the parts import, besides what these need.
NAMES = (
    "filelock",
    "lazy-loader",
    "pyarrow",
    "pydantic",
    "pyyaml",
    "rich",
    "safetensors",
    "segment-anything",
    "typer",
)
# What the other machine has, and what only other commands than the parts' import.
THEIRS = ("numpy", "pillow", "scipy", "torch", "torchvision")
NOT_IMPORTED = ("h5py", "imagehash", "matplotlib", "optuna", "pandas", "tifffile")
# Which pip takes as different platforms, though each runs what is built for an older one.
PLATFORMS = ("manylinux_2_28_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64")


def download(python: str, names: Sequence[str], folder: Path) -> None:
    """Fetches the wheels, and builds ablate's own: its version is part of what runs write down."""
    pip = (sys.executable, "-m", "pip")
    fetch = [
        *("download", "--quiet", "--only-binary=:all:", "--dest", str(folder)),
        *("--python-version", python, "--implementation", "cp"),
        *(word for platform in PLATFORMS for word in ("--platform", platform)),
        *("--constraint", str(ROOT / "constraints.txt"), *names),
    ]
    build = ["wheel", "--quiet", "--no-deps", "--wheel-dir", str(folder), str(ROOT)]
    for words in (fetch, build):
        subprocess.run([*pip, *words], check=True)


def main() -> int:
    """Collects the wheels and says what comes next."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--python", default="3.12", help="the other machine's version")
    parser.add_argument(
        "--with", nargs="+", metavar="NAME", dest="more", default=[], help="other packages as well"
    )
    arguments = parser.parse_args()
    folder = ROOT / FOLDER
    folder.mkdir(exist_ok=True)
    # Two versions of one package cannot be installed together.
    for old in folder.glob("*.whl"):
        old.unlink()
    try:
        download(arguments.python, [*NAMES, *arguments.more], folder)
    except subprocess.CalledProcessError as error:
        return error.returncode
    wheels = sorted(folder.glob("*.whl"))
    mib = sum(each.stat().st_size for each in wheels) / 2**20
    sys.stdout.write(
        f"{len(wheels)} wheels of {mib:.1f} MiB in {FOLDER}. On the other machine:\n\n"
    )
    sys.stdout.write(
        f"python3 -m pip install --quiet --no-index --no-deps --upgrade --target {SITE} "
        f"{FOLDER}/*.whl && PYTHONPATH={SITE} python3 -m benchmarks.gpu\n"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
