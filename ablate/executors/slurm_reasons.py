"""Why a job of SLURM waits (``squeue``, "job reason codes"), as far as that says what to do."""

import re

PARTITION_CONFIG = "PartitionConfig"
"""What a job may be said to wait for before the scheduler says which limit it breaks."""
# The request itself breaks a rule: nothing that happens in the cluster makes it start.
_NEVER = re.compile(
    r"AccountNotAllowed|BadConstraints|DependencyNeverSatisfied|InvalidAccount|InvalidQOS"
    r"|MaxMemPerLimit|Partition(MaxNodes|MinNodes|TimeLimit)|QOSNotAllowed"
    r"|RequiresReservation|ReservationDeleted"
    # Of one job alone; a limit on all of a user's jobs is waited for.
    r"|(Assoc|QOS)Max\w*(PerJob|PerNode)(Limit)?|QOSMin\w+"
)
# It starts once somebody has done something.
_ADVICE = {
    "JobHeldUser": "release it: `scontrol release {job}`",
    "JobHeldAdmin": "ask an administrator to release it, or cancel it",
    "JobHoldMaxRequeue": "it was requeued too often: `scontrol release {job}`",
    "launch failed requeued held": "see why the node could not start it, then `scontrol release "
    "{job}`",
    PARTITION_CONFIG: "no node of the partition that is up has what the job asks for",
    "PartitionDown": "an administrator has to bring the partition up, or choose another",
    "PartitionInactive": "an administrator has to bring the partition up, or choose another",
    "PartitionNodeLimit": "the partition has no such nodes, or they are down",
    "ReqNodeNotAvail": "nodes that it needs are down or reserved: `scontrol show reservation`",
    "NodeDown": "a node that it needs is down",
    "Reservation": "its reservation has not begun",
}
_REPAIRS = {
    "PartitionTimeLimit": "lower time_min, or choose another partition",
    "BadConstraints": "change constraint or gres",
    "AccountNotAllowed": "give an account that may use the partition",
    "InvalidAccount": "correct the account",
    "InvalidQOS": "correct qos",
    "QOSNotAllowed": "give a qos that the partition allows",
    "MaxMemPerLimit": "lower mem_gb",
}


def never_starts(reason: str) -> bool:
    """Whether a job that waits for this reason waits for ever."""
    return _NEVER.fullmatch(reason) is not None


def repair(reason: str) -> str:
    """What to do about a job that never starts."""
    what = _REPAIRS.get(reason, "ask for less, or for something else")
    return f"{what} ([executor.slurm] in ablate.toml)"


def advice(reason: str, job_id: str) -> str | None:
    """What the user has to do before a job starts; None: it only waits for its turn."""
    # What follows a comma are names of nodes.
    word = reason.partition(",")[0].strip("() ")
    found = _ADVICE.get(word)
    return None if found is None else found.format(job=job_id)
