"""What every training shares: where a run lives, resume, averaged weights, curves, progress, a clean Ctrl-C."""

from __future__ import annotations

import argparse
import json
import math
import os
import signal
import sys
import time
from pathlib import Path

import torch
from torch import nn

CONFIGS = Path(__file__).parent / "configs"
NOTHING, SHIPPED, OF_SCENES = "nothing", "the shipped weights", "`models/scenes`"  # where a training can start


def runs_folder() -> Path:
    return Path(os.environ.get("LIGHTSWITCH_RUNS", Path.home() / ".cache/lightswitch/runs"))


def read_config(path: str | Path) -> dict:
    return json.loads(Path(path).read_text())


def training_options(
    parser: argparse.ArgumentParser, arguments: list[str], config: str | None = None
) -> tuple[argparse.Namespace, dict]:
    """What every training's command line has: its settings and how long and on how many cores it runs.

    `config`: file name of the default settings under configs/; without one, --config is required. Returns the options and the
    settings, with --minutes in them.
    """
    parser.add_argument("--config", type=Path, default=CONFIGS / config if config else None, required=config is None)
    parser.add_argument("--minutes", type=float, help="training time in all, instead of the config's")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    settings = read_config(options.config)
    return options, settings | ({"minutes": options.minutes} if options.minutes else {})


def averaged_weights(run: str) -> dict[str, torch.Tensor]:
    """Those of the run's last checkpoint."""
    path = runs_folder() / run / "checkpoint.pt"
    if not path.exists():
        raise SystemExit(f"{path}: expected the checkpoint of {run}, found none")
    return torch.load(path, weights_only=True)["average"]


def write_atomically(path: Path, save) -> None:
    """`save(temporary_path)`, then a rename: readers see the old file or the new one, never half of one."""
    temporary = path.with_name(path.name + ".part")
    save(temporary)
    temporary.chmod(0o644)  # some writers make files that only their owner may read
    os.replace(temporary, path)


def half_precision() -> torch.autocast:
    """bfloat16 where the CPU multiplies it in hardware, nothing elsewhere; weights and losses stay in single precision."""
    return torch.autocast("cpu", torch.bfloat16, enabled=torch.cpu._is_avx512_bf16_supported())


class Average:
    """Exponential moving average of a model's parameters, warmed up so that the first steps do not linger."""

    def __init__(self, model: nn.Module, decay: float):
        self.model, self.decay = model, decay
        self.values = {k: v.detach().clone() for k, v in model.state_dict().items()}

    @torch.no_grad()
    def update(self, step: int) -> None:
        decay = min(self.decay, (1 + step) / (10 + step))
        for key, value in self.model.state_dict().items():
            if value.is_floating_point():
                self.values[key].lerp_(value, 1 - decay)


class Run:
    """A training that stops after `minutes` of its own time, however often it was interrupted.

    The learning rate warms up over `warmup_steps`, then falls with that time as a cosine to 3 % of its peak.
    """

    def __init__(self, config: dict, model: nn.Module, optimizer: torch.optim.Optimizer, start: str = NOTHING):
        """`start`: what `model` already holds, for the card."""
        self.config, self.model, self.optimizer = config, model, optimizer
        self.average = Average(model, config["ema"])
        self.folder = runs_folder() / config["name"]
        self.folder.mkdir(parents=True, exist_ok=True)
        self.step, self.seconds, self.samples, self.stopped = 0, 0.0, 0, False
        self.start, self.begun = start, time.strftime("%Y-%m-%d %H:%M")
        self._rate, self._printed = None, 0.0
        if self.checkpoint.exists():
            self._resume()
        (self.folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")
        signal.signal(signal.SIGINT, self._stop)
        signal.signal(signal.SIGTERM, self._stop)

    @property
    def checkpoint(self) -> Path:
        return self.folder / "checkpoint.pt"

    def _stop(self, *_) -> None:
        self.stopped = True

    def _resume(self) -> None:
        state = torch.load(self.checkpoint, weights_only=True)
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.average.values = state["average"]
        for name in ("step", "seconds", "samples", "start", "begun"):
            setattr(self, name, state[name])
        torch.set_rng_state(state["rng"])
        print(f"{self.config['name']}: resuming at step {self.step}", file=sys.stderr)

    def save(self) -> None:
        state = {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "average": self.average.values,
            "step": self.step,
            "seconds": self.seconds,
            "samples": self.samples,
            "start": self.start,
            "begun": self.begun,
            "rng": torch.get_rng_state(),
            "config": json.dumps(self.config),
        }
        write_atomically(self.checkpoint, lambda path: torch.save(state, path))

    def log(self, **values) -> None:
        with open(self.folder / "curve.jsonl", "a") as file:
            file.write(json.dumps({"step": self.step, "seconds": round(self.seconds, 1), **values}) + "\n")

    def _set_learning_rate(self) -> None:
        done = min(self.seconds / (60 * self.config["minutes"]), 1.0)
        factor = min(1.0, (self.step + 1) / self.config["warmup_steps"]) * (
            0.03 + 0.97 * 0.5 * (1 + math.cos(math.pi * done))
        )
        for group in self.optimizer.param_groups:
            group["lr"] = self.config["learning_rate"] * factor

    def _progress(self, values: dict) -> None:
        left = max(60 * self.config["minutes"] - self.seconds, 0)
        text = "  ".join(f"{k} {v:.4g}" for k, v in values.items())
        line = f"step {self.step}  {self._rate:.1f} pictures/s  {text}  {left / 60:.1f} min left"
        print(
            ("\r" + line + "  ") if sys.stderr.isatty() else line,
            end="" if sys.stderr.isatty() else "\n",
            file=sys.stderr,
            flush=True,
        )

    def train(self, one_step, evaluate=None, save_every: float = 120, evaluate_every: float = 300) -> None:
        """Calls one_step(step) -> (loss, values) until time is up; evaluate() -> values now and then."""
        last = saved = evaluated = time.monotonic()
        while not self.stopped and self.seconds < 60 * self.config["minutes"]:
            self._set_learning_rate()
            self.optimizer.zero_grad(set_to_none=True)
            loss, values = one_step(self.step)
            loss.backward()
            nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
            self.optimizer.step()
            self.step += 1
            self.samples += self.config["batch"]
            self.average.update(self.step)
            now = time.monotonic()
            rate = self.config["batch"] / (now - last)
            self._rate = rate if self._rate is None else 0.95 * self._rate + 0.05 * rate
            self.seconds += now - last
            last = now
            if now - self._printed > 15:
                self._printed = now
                self._progress(values)
                self.log(rate=round(self._rate, 2), **{k: round(v, 5) for k, v in values.items()})
            if evaluate and now - evaluated > evaluate_every:
                self.log(**evaluate())
                evaluated = last = time.monotonic()
            if now - saved > save_every:
                self.save()
                saved = last = time.monotonic()
        if evaluate:
            self.log(**evaluate())
        self.save()
        print(file=sys.stderr)
