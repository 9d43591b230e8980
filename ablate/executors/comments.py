"""What a job of a cluster says of itself to a later start."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_WORD = "ablate"


@dataclass(frozen=True)
class Comment:
    """The store, and the keys of the job's runs.

    Attributes:
        store: The folder that the runs' folders lie in.
        keys: Of its runs.
    """

    store: str
    keys: frozenset[str]

    def is_part_of(self, other: "Comment") -> bool:
        """Whether a job with the other comment does all that one with this comment does."""
        return self.store == other.store and self.keys <= other.keys

    def __str__(self) -> str:
        """As the cluster has it."""
        return f"{_WORD} {','.join(sorted(self.keys))} {self.store}"


def comment_of(folders: Sequence[Path]) -> Comment:
    """The comment of the job of a cohort."""
    return Comment(str(folders[0].parent), frozenset(path.name for path in folders))


def parse_comment(text: str) -> Comment | None:
    """A comment as the cluster has it; None: it is not ablate's."""
    word, _, rest = text.partition(" ")
    keys, _, store = rest.partition(" ")
    return Comment(store, frozenset(keys.split(","))) if word == _WORD and store else None
