"""Files of a data set that cannot be used as they lie there: never fetched, or badly named."""

import os
import stat
from pathlib import Path

from ablate.errors import DataError
from ablate.runs import shown, unwritable

_LFS = b"version https://git-lfs"
_ANNEX = b"/annex/objects/"
# Pointers have some hundred bytes; larger files are not opened.
_POINTER_BYTES = 1024


def check_name(path: Path) -> None:
    """Refuses a path that is not UTF-8 or has control characters.

    Such names can be written neither to Parquet nor to JSON or MLflow.

    Raises:
        DataError: If it is such a path.
    """
    reason = unwritable(path)
    if reason == "is not UTF-8":
        repair = "rename it (convmv -f latin1 -t utf8 --notest -r FOLDER; gbk for Chinese archives)"
        raise DataError(f"the name {shown(path)} {reason}", repair)
    if reason is not None:
        raise DataError(f"the name {shown(path)} {reason}", "rename it")


def check_file(path: Path) -> None:
    """Refuses a file that counts by its name, but has no content of its own.

    Raises:
        DataError: If it is a link to nothing, a pointer of Git LFS, git-annex or DVC, or no regular
            file (a pipe, a device, a folder), or if its name is not UTF-8.
    """
    check_name(path)
    if _is_unfetched(path):
        raise _kept_by_dvc(path.with_suffix(""))
    try:
        status = path.stat()
    except FileNotFoundError as error:
        raise _link_to_nothing(path) from error
    except OSError as error:
        raise DataError(
            f"{path} cannot be read ({error.strerror})", "check the file and its permissions"
        ) from error
    if not stat.S_ISREG(status.st_mode):
        raise DataError(f"{path} is not a regular file", "replace or remove it")
    if status.st_size <= _POINTER_BYTES:
        _check_pointer(path)


def check_folder_fetched(path: Path) -> None:
    """Refuses a folder that is missing because it was never fetched.

    Raises:
        DataError: If it is a link to nothing, or if DVC keeps it elsewhere.
    """
    if not path.exists():
        if path.is_symlink():
            raise _link_to_nothing(path)
        if path.with_name(f"{path.name}.dvc").is_file():
            raise _kept_by_dvc(path)


def named(path: Path) -> str:
    """The name that a path stands for: a ``.dvc`` file stands for what DVC keeps elsewhere."""
    return path.stem if _is_unfetched(path) else path.name


def _is_unfetched(path: Path) -> bool:
    return path.suffix == ".dvc" and not os.path.lexists(path.with_suffix(""))


def _kept_by_dvc(target: Path) -> DataError:
    return DataError(f"{target} was never fetched, there is only {target.name}.dvc", "run dvc pull")


def _check_pointer(path: Path) -> None:
    try:
        with path.open("rb") as file:
            start = file.read(len(_LFS))
    except OSError as error:
        raise DataError(
            f"{path} cannot be read ({error.strerror})", "check the file and its permissions"
        ) from error
    if start.startswith(_LFS):
        raise DataError(f"{path} is a pointer of Git LFS, not the file itself", "run git lfs pull")
    if start.startswith(_ANNEX):
        raise DataError(
            f"{path} is a pointer of git-annex, not the file itself", f"run git annex get {path}"
        )


def _link_to_nothing(path: Path) -> DataError:
    """What to say of a link whose target is missing, or of a file that has just gone."""
    if not path.is_symlink():
        return DataError(f"{path} does not exist", "restore it")
    target = path.readlink()
    repair = "restore what it names, or remove the link"
    if "annex" in target.parts:
        repair = f"run git annex get {path}"
    elif ".dvc" in target.parts or target.parts[-4:-2] == ("files", "md5"):
        repair = "run dvc pull"
    return DataError(f"{path} is a link to {shown(target)}, which does not exist", repair)
