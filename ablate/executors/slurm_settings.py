"""What jobs ask of a SLURM: ``[executor.slurm]`` in ``ablate.toml``."""

from collections.abc import Mapping

from pydantic import Field

from ablate.executors.node import LIMIT_SIGNAL
from ablate.spec import Frozen


class Settings(Frozen):
    """Settings of the SLURM executor; what is None is left to the cluster.

    Attributes:
        partition: Where jobs run.
        account: Who is charged.
        qos: Quality of service.
        constraint: Features that nodes must have.
        gres: Generic resources, such as ``gpu:1``.
        time_min: Limit of a job, in minutes. A job that needs longer saves its state before, goes
            back into the queue, and continues.
        warning_s: How long before that limit it saves its state, in seconds.
        mem_gb: Memory, in GB.
        cpus_per_task: Processors.
        jobs: Into how many jobs at least runs are grouped that could be trained in one.
        device: What a job computes on, unless the user names devices; None: ``cuda:0`` if ``gres``
            or an option names GPUs, else ``cpu``.
        python: The interpreter on the nodes, as a shell takes it; None: that of this process.
        setup: Lines of the job's script before the work, such as ``module load cuda``.
        options: Further options of ``sbatch``, without dashes.
        poll_s: How often the queue is asked, in seconds.
    """

    partition: str | None = None
    account: str | None = None
    qos: str | None = None
    constraint: str | None = None
    gres: str | None = None
    time_min: int = Field(default=60, ge=1)
    warning_s: int = Field(default=120, ge=1)
    mem_gb: float | None = Field(default=None, gt=0)
    cpus_per_task: int | None = Field(default=None, ge=1)
    jobs: int = Field(default=4, ge=1)
    device: str | None = None
    python: str | None = None
    setup: tuple[str, ...] = ()
    options: Mapping[str, str | int | bool] = Field(default_factory=dict)
    poll_s: float = Field(default=5.0, gt=0)

    @property
    def computes_on(self) -> str:
        """The device of a job."""
        has_gpu = "gpu" in (self.gres or "") or any("gpu" in name for name in self.options)
        return self.device or ("cuda:0" if has_gpu else "cpu")


def parameters(settings: Settings) -> dict[str, object]:
    """What a job asks for, as submitit names it."""
    named = settings.model_dump(
        include={"partition", "account", "qos", "constraint", "gres", "cpus_per_task"},
        exclude_none=True,
    )
    memory = {} if settings.mem_gb is None else {"mem": f"{round(settings.mem_gb * 1000)}M"}
    return named | {
        "time": settings.time_min,
        "setup": list(settings.setup),
        "additional_parameters": {
            "requeue": True,
            "signal": f"{LIMIT_SIGNAL.name.removeprefix('SIG')}@{settings.warning_s}",
            **memory,
            **settings.options,
        },
    }
