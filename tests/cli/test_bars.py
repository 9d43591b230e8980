"""Bars of what is computed image by image."""

import pytest

from ablate.cli.bars import bars_of
from ablate.errors import Interrupted


def test_a_stop_says_what_it_leaves() -> None:
    with (
        pytest.raises(Interrupted, match="what is scored is kept"),
        bars_of("images", "what is scored"),
    ):
        raise KeyboardInterrupt
