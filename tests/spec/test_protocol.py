"""A protocol's part in the identity of a run."""

from ablate.registry import Catalogue
from ablate.spec import Protocol


def test_compiling_is_told_only_where_it_is_asked_for(demo: Protocol) -> None:
    """Runs from before there was the choice keep their keys; those that round otherwise do not."""
    compiled = demo.model_copy(update={"compile": True})
    assert "compile" not in demo.identity()
    assert compiled.identity() == demo.identity() | {"compile": True}


def test_no_shipped_protocol_compiles() -> None:
    catalogue = Catalogue()
    assert not any(catalogue.protocol(name).compile for name in catalogue.protocol_files)
