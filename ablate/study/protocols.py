"""Which protocol a sweep runs under, and why."""

from ablate.registry import Catalogue
from ablate.spec import BACKBONES, Protocol, Sweep
from ablate.study.request import Request

_DEMO = "demo"
_NANO = "nano"

# What plan and run say first where neither the user nor the sweep names the protocol.
_REASONS = {
    _DEMO: (
        "neither data nor checkpoint is configured, so this trains SAM-nano on generated scenes; "
        "for the paper's own experiment: --data BIJIE --checkpoint sam_vit_l_0b3195.pth"
    ),
    _NANO: (
        "no checkpoint is configured, so this trains SAM-nano, a SAM of 0.8 million parameters, on "
        "these images at 128×128 pixels: the experiment in miniature, not SAM's; for the sweep's "
        "own protocol: --checkpoint sam_vit_l_0b3195.pth"
    ),
}


def choose_protocol(
    request: Request, sweep: Sweep, catalogue: Catalogue
) -> tuple[Protocol, str | None]:
    """The protocol that is named, or else the sweep's own, or what runs without SAM's weights.

    The sweep's own protocol may need SAM's weights. Without them the demo runs where no images are
    given either, and the recipe for SAM-nano, which comes with the package, where they are.

    Returns:
        The protocol, and one line that says why it is used; None where the user or the sweep
        names it.

    Raises:
        SpecError: If there is no such protocol, or an override breaks its rules.
    """
    name, reason = request.protocol or sweep.protocol, None
    if request.protocol is None and request.checkpoint is None:
        own = catalogue.protocol(sweep.protocol)
        needs_weights = BACKBONES[own.backbone].checkpoint is not None
        default = _NANO if request.data is not None else _DEMO
        # Weights of ResNets without images are a mistake, not a demo.
        if needs_weights and (request.data is not None or not request.backbone_weights):
            name, reason = default, f"{default}: {_REASONS[default]}"
    return catalogue.protocol(name, request.overrides), reason
