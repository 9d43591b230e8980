"""The paper's two splits."""

from ablate.spec import HoldoutSplit

RELEASED = HoldoutSplit(kind="holdout", seed=42, validation_share=0.3, rounding="floor-plus-one")
PAPER = RELEASED.model_copy(update={"rounding": "floor"})
