"""The training loop: seeded, resumable bit for bit on one CPU thread, logged."""

import io
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from segment_anything.modeling import Sam
from torch import nn

from ablate.runs.atomic import append_line, replace
from scripts.pretrain_nano.pool import Pool, draw
from scripts.pretrain_nano.recipe import Recipe, choose, picture_reader, step_losses
from scripts.pretrain_nano.start import fresh

Evaluate = Callable[[Sam], dict[str, float]]

LOG_EVERY = 50


class Training:
    """A model on its way.

    Nothing random is carried from step to step: a step's batch and prompts are decided by seed
    and step. So model, optimiser and step are all that a checkpoint needs.

    Args:
        recipe: What decides the training.
        pool: The scenes.
        folder: Holds ``checkpoint.pt`` and ``log.jsonl``; what lies there is continued.
        device: Where the model computes; batches are made on the CPU.

    Raises:
        SystemExit: If the checkpoint in ``folder`` is of another recipe.
    """

    def __init__(self, recipe: Recipe, pool: Pool, folder: Path, device: torch.device) -> None:
        """Starts afresh, or from the checkpoint."""
        self.recipe = recipe
        self.pool = pool
        self.device = device
        self.step = 0
        self.sam = fresh(recipe.seed).to(device)
        self.reader = picture_reader(self.sam.prompt_encoder.embed_dim, recipe.seed).to(device)
        self.optimizer = _optimizer([*self.sam.parameters(), *self.reader.parameters()], recipe)
        folder.mkdir(parents=True, exist_ok=True)
        self._checkpoint = folder / "checkpoint.pt"
        self._log = folder / "log.jsonl"
        if self._checkpoint.exists():
            self._resume()

    def run(self, evaluate: Evaluate, *, evaluate_every: int, save_every_s: float) -> None:
        """Trains to the end of the recipe.

        Args:
            evaluate: What is logged of the model every so often, and at the end.
            evaluate_every: Steps between evaluations.
            save_every_s: Seconds between checkpoints; one is written at the end in any case.
        """
        saved_at = started = time.monotonic()
        sums: dict[str, float] = {}
        while self.step < self.recipe.steps:
            for name, value in self.advance().items():
                sums[name] = sums.get(name, 0.0) + value
            if self.step % LOG_EVERY == 0:
                means = {name: round(total / LOG_EVERY, 5) for name, total in sums.items()}
                self._tell({"loss": means, "seconds": round(time.monotonic() - started, 1)})
                sums = {}
            if self.step % evaluate_every == 0 or self.step == self.recipe.steps:
                self._tell({"held_out": evaluate(self.sam)})
            if time.monotonic() - saved_at >= save_every_s:
                self.save()
                saved_at = time.monotonic()
        self.save()

    def advance(self) -> dict[str, float]:
        """One step of the optimiser; returns its losses."""
        recipe = self.recipe
        # Neighbouring seeds of torch's generator give unrelated streams.
        generator = torch.Generator().manual_seed((recipe.seed << 32) + self.step)
        images, labels = draw(self.pool, recipe.images, generator)
        masks, image = choose(labels, recipe.objects, generator)
        losses = step_losses(
            self.sam,
            self.reader,
            images.to(self.device),
            masks,
            image,
            recipe,
            self.step,
            generator,
        )
        for group in self.optimizer.param_groups:
            group["lr"] = recipe.lr_at(self.step)
        self.optimizer.zero_grad(set_to_none=True)
        losses.total.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.sam.parameters(), recipe.clip)
        self.optimizer.step()
        self.step += 1
        return {name: float(value.detach()) for name, value in vars(losses).items()}

    def save(self) -> None:
        """Writes a checkpoint in place of the last one."""
        content = {
            "recipe": asdict(self.recipe),
            "step": self.step,
            "model": self.sam.state_dict(),
            "reader": self.reader.state_dict(),
            "optimizer": self.optimizer.state_dict(),
        }
        file = io.BytesIO()
        torch.save(content, file)
        replace(self._checkpoint, file.getvalue())

    def _resume(self) -> None:
        content: dict[str, Any] = torch.load(
            self._checkpoint, map_location=self.device, weights_only=True
        )
        if content["recipe"] != asdict(self.recipe):
            raise SystemExit(
                f"{self._checkpoint} is of another recipe, {content['recipe']}: "
                "give that one, or another folder"
            )
        self.sam.load_state_dict(content["model"], strict=True)
        self.reader.load_state_dict(content["reader"])
        self.optimizer.load_state_dict(content["optimizer"])
        self.step = content["step"]
        if self._log.exists():
            # What was logged after the checkpoint will be logged again.
            lines = self._log.read_text().splitlines()
            kept = [line for line in lines if json.loads(line)["step"] <= self.step]
            replace(self._log, "".join(line + "\n" for line in kept).encode())

    def _tell(self, entry: dict[str, Any]) -> None:
        append_line(self._log, json.dumps({"step": self.step, **entry}))


def _optimizer(values: Sequence[nn.Parameter], recipe: Recipe) -> torch.optim.AdamW:
    """AdamW; vectors (biases, norms) and embeddings of one row do not decay."""
    decayed = [value for value in values if value.dim() > 1 and value.shape[0] > 1]
    others = [value for value in values if value.dim() <= 1 or value.shape[0] == 1]
    groups: list[dict[str, Any]] = [{"params": decayed}, {"params": others, "weight_decay": 0.0}]
    return torch.optim.AdamW(
        groups, lr=recipe.lr, betas=(0.9, recipe.memory), weight_decay=recipe.weight_decay
    )
