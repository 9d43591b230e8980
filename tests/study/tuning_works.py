"""Work that trains nothing: a run's score follows from its learning rate and its adapter."""

import math
import time
from collections.abc import Sequence
from pathlib import Path

from ablate.runs import Failure, Machine, Parameters, Result, RunFolder
from ablate.spec import METRIC_NAMES


def score(folders: Sequence[Path], device: str) -> None:
    """Ends every run; one whose learning rate is above 1 diverges."""
    for path in folders:
        folder = RunFolder(path)
        with (path / "attempts").open("a") as file:
            file.write("one\n")
        spec = folder.spec()
        rate = spec.context.protocol.optimizer.lr
        if rate > 1:
            folder.write_failure(
                Failure(kind="diverged", message="the loss is inf", detail="", time=time.time())
            )
            continue
        value = 1 - abs(math.log10(rate / 2e-3)) / 10
        folder.publish_result(
            Result(
                key=folder.key,
                epoch=1,
                epochs=1,
                steps=1,
                metrics=dict.fromkeys(METRIC_NAMES, value) | {"val_loss": 1 - value},
                confusion={"tp": 1, "fp": 1, "fn": 1, "tn": 1},
                parameters=Parameters(total=1, trainable=1, adapter=1, sites=1),
                weights_sha256="0" * 64,
                machine=Machine(
                    device=device, device_name=device, threads=1, precision="float32", torch="0"
                ),
                finished=time.time(),
                train_s=1.5,
            )
        )


def break_at_the_second(folders: Sequence[Path], device: str) -> None:
    """Work that fails as soon as decoder-only has a second trial."""
    for path in folders:
        if (
            len(list(path.parent.glob("*/result.json"))) == 1
            and not (path.parent / "fixed").exists()
        ):
            raise ValueError("the device is gone")
        score([path], device)
