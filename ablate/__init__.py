"""Ablation studies of adapters on a frozen Segment Anything Model.

Python:

    from ablate import Study

    study = Study("table4", data="bijie", checkpoint="sam_vit_l_0b3195.pth")
    study.run()
    print(study.report().render("markdown"))
    study.export("translandseg", "EXPORT")

    model = ablate.load("EXPORT", checkpoint="sam_vit_l_0b3195.pth")
    mask = model.predict("image.png")
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ablate.study import Study as Study
    from ablate.study.reuse import load as load

__all__ = ["Study", "load"]


def __getattr__(name: str) -> Any:
    """Loads what is used, when it is used, so that this import stays quick."""
    match name:
        case "Study":
            from ablate.study import Study

            return Study
        case "load":
            from ablate.study.reuse import load

            return load
        case "__version__":
            from importlib.metadata import version

            return version("ablate")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
