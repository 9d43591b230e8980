"""Ablation studies of adapters on a frozen Segment Anything Model.

Python:

    from ablate import Study

    study = Study("table4", data="bijie", checkpoint="sam_vit_l_0b3195.pth")
    study.run()
    print(study.report().render("markdown"))
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ablate.study import Study as Study

__all__ = ["Study"]


def __getattr__(name: str) -> Any:
    """Loads ``Study`` and ``__version__`` when they are used, so that this import stays quick."""
    match name:
        case "Study":
            from ablate.study import Study

            return Study
        case "__version__":
            from importlib.metadata import version

            return version("ablate")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
