"""What jobs of Ray ask for: ``[executor.ray]`` in ``ablate.toml``."""

import math
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from ablate.errors import BadInput
from ablate.executors.ray_connection import check_address
from ablate.spec import Frozen


def _whole_above_one(gpus: float | None) -> float | None:
    if gpus is not None and gpus > 1 and gpus != math.floor(gpus):
        raise ValueError("a part of a GPU, or a whole number of them")
    return gpus


class Settings(Frozen):
    """Settings of the Ray executor.

    Attributes:
        address: Of a cluster, ``HOST:PORT`` or ``ray://HOST:PORT``; None: one of this machine's
            own, which ends with the command.
        cpus: Processors of a job, and with how many threads it computes on them.
        gpus: GPUs of a job; None: one if ``device`` or ``--device`` names one, else none.
        mem_gb: Memory of a job, in GB; None: as Ray has it.
        resources: What else a node must have, by Ray's names, such as ``accelerator_type:A100``.
        jobs: Into how many jobs at least runs are grouped that could be trained in one.
        device: What a job computes on, unless the user names devices; None: ``cuda:0`` if it has a
            GPU, else ``cpu``.
        wait_for_nodes: Whether to wait for a node with room for a job where there is none yet, as a
            cluster has it that starts nodes when they are needed.
        poll_s: How often the cluster is asked, in seconds.
    """

    address: Annotated[str, AfterValidator(check_address)] | None = None
    cpus: int = Field(default=1, ge=1)
    gpus: Annotated[float, Field(ge=0), AfterValidator(_whole_above_one)] | None = None
    mem_gb: float | None = Field(default=None, gt=0)
    resources: Mapping[str, Annotated[float, Field(gt=0)]] = Field(default_factory=dict)
    jobs: int = Field(default=4, ge=1)
    device: str | None = None
    wait_for_nodes: bool = False
    poll_s: float = Field(default=1.0, gt=0)

    @property
    def computes_on(self) -> str:
        """The device of a job."""
        return self.device or ("cuda:0" if self.gpus else "cpu")

    def demands(self, device: str) -> dict[str, Any]:
        """What a job that computes on that device asks of a node, as Ray takes it."""
        gpus = self.gpus if self.gpus is not None else float(device.startswith("cuda"))
        memory = {} if self.mem_gb is None else {"memory": round(self.mem_gb * 1e9)}
        resources = {"resources": dict(self.resources)}
        return {"num_cpus": self.cpus, "num_gpus": gpus} | memory | resources


def no_place(demands: Mapping[str, Any]) -> BadInput:
    """The error where no node has what a job asks for, be it free or not.

    Args:
        demands: See ``Settings.demands``.
    """
    cpus, gpus, memory_gb = (demands.get(name, 0) for name in ("num_cpus", "num_gpus", "memory"))
    named = {"CPU": cpus, "GPU": gpus, "GB of memory": memory_gb / 1e9} | demands["resources"]
    wanted = ", ".join(f"{value:g} {word}" for word, value in named.items() if value)
    return BadInput(
        f"no node of the Ray cluster has {wanted}, which a job asks for",
        "ask for less in [executor.ray] in ablate.toml, or set wait_for_nodes if nodes come when "
        "they are needed",
    )
