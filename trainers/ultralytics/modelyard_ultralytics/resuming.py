"""Resume checkpoints: everything needed to go on with the next batch as if nothing had happened.

The library's own checkpoints keep averaged weights in half precision and forget the random generators and the order of
the pictures. Ours keep full precision and every generator, and hold nothing but tensors and plain values, so that they
load with PyTorch's `weights_only`. On a CPU with `nbs` no larger than `batch` a run that was killed and resumed ends
with the very numbers of one that was not.
"""

import random
import sys
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

from modelyard_trainer import Failure

FORMAT = "modelyard-ultralytics-1"


def capture_random() -> dict[str, Any]:
    """The state of every generator that loading and augmenting pictures draws from."""
    import numpy  # import here: not needed before there is work
    import torch  # import here: takes seconds

    name, keys, position, has_gauss, gauss = numpy.random.get_state()
    return {
        "python": random.getstate(),
        "numpy": [name, torch.from_numpy(keys.astype("int64")), position, has_gauss, gauss],
        "torch": torch.get_rng_state(),
    }


def restore_random(state: dict[str, Any]) -> None:
    """Puts the generators back to where `capture_random` found them."""
    import numpy  # import here: not needed before there is work
    import torch  # import here: takes seconds

    random.setstate(state["python"])
    name, keys, position, has_gauss, gauss = state["numpy"]
    numpy.random.set_state((name, keys.numpy().astype("uint32"), position, has_gauss, gauss))
    torch.set_rng_state(state["torch"])


def capture(trainer: Any, *, epoch: int, batch: int) -> dict[str, Any]:
    """The state of a training that has finished `epoch` epochs and `batch` batches of the next one."""
    from ultralytics.utils.torch_utils import unwrap_model  # import here: takes seconds

    dataset = trainer.train_loader.dataset
    return {
        "format": FORMAT,
        "epoch": epoch,
        "batch": batch,
        "batches": len(trainer.train_loader),
        "network": unwrap_model(trainer.model).state_dict(),
        "average": trainer.ema.ema.state_dict(),
        "average_updates": trainer.ema.updates,
        "optimizer": trainer.optimizer.state_dict(),
        "optimizer_name": type(trainer.optimizer).__name__,
        "scaler": trainer.scaler.state_dict(),
        "best_fitness": _plain(trainer.best_fitness),
        "stopper": [_plain(trainer.stopper.best_fitness), trainer.stopper.best_epoch],
        "random": capture_random(),
        "mosaic_pictures": [int(number) for number in dataset.buffer],
    }


def _plain(value: Any) -> float | None:
    return None if value is None else float(value)


def load_state(path: Path, *, model: str, class_ids: list[int]) -> dict[str, Any]:
    """The state in a resume checkpoint. Raises Failure `bad_data` for another file, `bad_config` for another job's."""
    import torch  # import here: takes seconds

    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        print(f"{path}: {error}", file=sys.stderr)
        raise Failure(
            "bad_data",
            "the checkpoint to go on from cannot be read: it is damaged or no resume checkpoint",
            hint="Weights can be given to a new training to begin with.",
        ) from error
    if not isinstance(state, dict) or state.get("format") != FORMAT:
        raise Failure(
            "bad_data",
            "the checkpoint to go on from is not a resume checkpoint of this trainer",
            hint="Weights can be given to a new training to begin with.",
        )
    if state["model"] != model or state["class_ids"] != class_ids:
        raise Failure(
            "bad_config",
            f"the checkpoint is of {state['model']} with {len(state['class_ids'])} classes, "
            f"the job of {model} with {len(class_ids)}",
            params={"model": model, "checkpoint_model": state["model"]},
        )
    return state


def apply(trainer: Any, state: dict[str, Any], *, closing_epoch: int | None) -> None:
    """Brings a trainer that is set up but has not begun to the captured state.

    `closing_epoch` is the epoch before which mosaic pictures end and the loader starts anew, None when it never does.
    """
    from ultralytics.utils.torch_utils import unwrap_model  # import here: takes seconds

    network = unwrap_model(trainer.model)
    if len(trainer.train_loader) != state["batches"] or type(trainer.optimizer).__name__ != state["optimizer_name"]:
        raise Failure(
            "bad_config",
            "batch, optimizer and training pictures must stay the same when a training goes on",
            params={"batches": len(trainer.train_loader), "checkpoint_batches": state["batches"]},
        )
    network.load_state_dict(state["network"])
    trainer.ema.ema.load_state_dict(state["average"])
    trainer.ema.updates = state["average_updates"]
    trainer.optimizer.load_state_dict(state["optimizer"])
    trainer.scaler.load_state_dict(state["scaler"])
    trainer.best_fitness = state["best_fitness"]
    trainer.stopper.best_fitness, trainer.stopper.best_epoch = state["stopper"]
    trainer.start_epoch = state["epoch"]
    network.criterion = network.init_criterion()
    if state["epoch"] and hasattr(network.criterion, "update"):  # losses that change from epoch to epoch
        network.criterion.updates = state["epoch"] - 1
        network.criterion.update()
    dataset = trainer.train_loader.dataset
    for number in state["mosaic_pictures"]:
        dataset.load_image(number)
    advance(trainer.train_loader, state, closing_epoch)


class AdvancedBatches:
    """Stands for a loader's batch sampler after some batches were already used.

    The first iteration goes on from there, later ones start like the original. `sampler` is what the loader takes its
    length from: `begin_rest` shortens it for the rest of an epoch.
    """

    def __init__(self, original: Any, advanced: Iterator[list[int]], generator: Any, random_state: dict[str, Any]):
        self._original = original
        self._advanced: Iterator[list[int]] | None = advanced
        self._generator = generator
        self._generator_state = generator.get_state()
        self._random_state = random_state
        self.sampler = original.sampler

    def begin_rest(self, count: int) -> None:
        """The next iteration of the loader has `count` batches."""
        self.sampler = range(count)

    def begin_whole(self) -> None:
        """The next iterations of the loader have all batches."""
        self.sampler = self._original.sampler

    def __iter__(self) -> Iterator[list[int]]:
        advanced, self._advanced = self._advanced, None
        if advanced is None:
            yield from self._original
            return
        # This runs when the first batch is asked for, after the new loader drew its seeds: undo those draws.
        self._generator.set_state(self._generator_state)
        restore_random(self._random_state)
        yield from advanced


def advance(loader: Any, state: dict[str, Any], closing_epoch: int | None) -> None:
    """Moves a loader on to the batch that comes next; only indices are drawn, no picture is read."""
    import torch  # import here: takes seconds

    epoch, batches = state["epoch"], state["batches"]
    done = epoch * batches + state["batch"]
    parts = [done]
    if closing_epoch is not None and 0 < closing_epoch <= epoch:
        before = closing_epoch * batches
        parts = [before] if done == before else [before, done - before]
    batch_sampler = iter(())
    for count in parts:
        torch.empty((), dtype=torch.int64).random_(generator=loader.generator)  # as each new iterator of a loader does
        batch_sampler = iter(loader.batch_sampler)
        for _ in range(count):
            next(batch_sampler)
    if closing_epoch is not None and done == closing_epoch * batches and done:
        batch_sampler = _begun_anew(loader)
    advanced = AdvancedBatches(loader.batch_sampler, batch_sampler, loader.generator, deepcopy(state["random"]))
    object.__setattr__(loader, "batch_sampler", advanced)  # the loader guards this name after it was made


def _begun_anew(loader: Any) -> Iterator[list[int]]:
    import torch  # import here: takes seconds

    torch.empty((), dtype=torch.int64).random_(generator=loader.generator)
    return iter(loader.batch_sampler)
