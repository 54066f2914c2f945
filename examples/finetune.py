"""Fine-tunes PNASNet-5 on photographs: from any weights that the port reads to a network for other classes.

  python examples/finetune.py CHECKPOINT
  python examples/finetune.py CHECKPOINT --photographs FOLDER

Without a FOLDER the classes are this project's four photographs. Training sees windows of the left 60 % of each; held
out are windows of the right 35 %. A FOLDER holds one folder of JPEGs or PNGs for each class, which are read into
memory; of each class the last quarter, by name, is held out. Google's released weights are not needed to try it:
`pnasnet-parity imagenet sample DIR --variant mobile` makes DIR/mobile.ckpt, random weights at a natural scale.

Stopped or killed, the same command continues where it last wrote a checkpoint, and ends with the same bits.
"""

import argparse
import json
import math
import pickle
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import torch
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from photographs import InputError, batch, class_folders, own_photographs, window
from pnasnet_torch import VARIANTS, PNASNet, WeightsError, from_pretrained, save_weights
from pnasnet_torch.genotype import minimum_size
from pnasnet_torch.hub import FILE, Card, make_card, sha256
from pnasnet_torch.operations import BatchNorm
from pnasnet_torch.optimizer import Averages, RMSProp, clip_by_global_norm, learning_rate
from pnasnet_torch.preprocess import CENTRAL_FRACTION
from pnasnet_torch.selection import WHICH
from pnasnet_torch.targets import OURS
from pnasnet_torch.training import training_loss
from pnasnet_torch.writing import uncomplaining

# slim's moving statistics are made for 250,000 steps: in a few hundred they would hardly leave the checkpoint's.
MOMENTUM = 0.05
# How often slim's factor lowers the learning rate: to a twelfth in all.
DECAYS = 40
STATE, RESULT = "training.pt", "model.safetensors"
# A run may be continued with others of these; but other threads give other last bits.
FREE = ("output", "every", "threads")


def new_network(checkpoint: Path, which: str | None, classes: int, steps: int) -> PNASNet:
    """The checkpoint's network with a new last layer, and without the auxiliary head."""
    trained = from_pretrained(checkpoint, which=which).model
    # Large's drop path reaches its end with this training.
    model = PNASNet(replace(trained.config, num_classes=classes, aux_image_size=None, total_training_steps=steps))
    dropped = ("final_layer.FC.", "aux_")
    kept = {name: tensor for name, tensor in trained.state_dict().items() if not name.startswith(dropped)}
    model.load_state_dict(model.state_dict() | kept)
    for module in model.modules():
        if isinstance(module, BatchNorm):
            module.momentum = MOMENTUM
    return model


class Training:
    """A run: the network, the optimiser, the averages, and how far it is; raises InputError for bad arguments."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.data = class_folders(options.photographs) if options.photographs else own_photographs(options.seed)
        torch.manual_seed(options.seed)
        self.model = new_network(options.checkpoint, options.weights, len(self.data.classes), options.steps)
        if options.image_size < (least := max(minimum_size(self.model.config))):
            raise InputError(f"--image-size {options.image_size}: this network needs at least {least} pixels")
        self.optimizer = RMSProp(self.model.parameters(), options.learning_rate)
        self.averages = Averages(self.model)
        self.step = self.correct_before = 0
        self.held_out = batch([image for image, _ in self.data.held_out], options.image_size, CENTRAL_FRACTION)
        self.labels = torch.tensor([label for _, label in self.data.held_out])

    def run(self) -> None:
        """From the last checkpoint, if there is one, to the end."""
        self.options.output.mkdir(parents=True, exist_ok=True)
        if (self.options.output / STATE).exists():
            self.load()
            print(f"continues behind step {self.step}", flush=True)
        else:
            self.correct_before = self.correct()
            print(f"step 0: {self.correct_before} of {len(self.labels)} held-out images are right", flush=True)
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, disable=not sys.stdout.isatty()) as progress:
            self.train(progress)
        after = self.correct()
        self.write_result()
        print(f"right before: {self.correct_before} of {len(self.labels)}, after: {after} of {len(self.labels)}")
        print(f"the network: {self.options.output / RESULT}")

    def train(self, progress: Progress) -> None:
        """All steps that are left; now and then evaluates, and writes a checkpoint."""
        task = progress.add_task("", total=self.options.steps, completed=self.step)
        losses = []
        while self.step < self.options.steps:
            losses.append(self.advance())
            progress.update(task, completed=self.step, description=f"loss {losses[-1]:.3f}")
            if self.step % self.options.every == 0 or self.step == self.options.steps:
                loss, correct = sum(losses) / len(losses), self.correct()
                self.save()
                print(f"step {self.step}: loss {loss:.3f}, {correct} of {len(self.labels)}", flush=True)
                losses.clear()

    def advance(self) -> float:
        """One step on random windows of random images; gives its loss."""
        drawn = [self.data.training[i] for i in torch.randint(len(self.data.training), (self.options.batch_size,))]
        windows = [window(pixels, torch.default_generator) for pixels, _ in drawn]
        images, labels = batch(windows, self.options.image_size, 1.0), torch.tensor([label for _, label in drawn])
        loss = training_loss(self.model, self.model.train()(images, self.step), labels).total
        if not loss.isfinite():
            raise InputError(f"the loss of step {self.step} is {loss.item()}: try a lower --learning-rate")
        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        clip_by_global_norm(self.model.parameters())
        decay_steps = math.ceil(self.options.steps / DECAYS)
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(self.step, self.options.learning_rate, decay_steps)
        self.optimizer.step()
        self.averages.update(self.model, self.step)
        self.step += 1
        return loss.item()

    @torch.no_grad()
    def correct(self) -> int:
        """How many held-out images the averages get right, which are what slim evaluates."""
        self.model.eval()
        batches = torch.split(self.held_out, self.options.batch_size)
        logits = [torch.func.functional_call(self.model, self.averages.values, images) for images in batches]
        return int((torch.cat(logits).argmax(dim=1) == self.labels).sum())

    def arguments(self) -> dict[str, str]:
        """Those that change the result."""
        return {name: str(value) for name, value in vars(self.options).items() if name not in FREE}

    def save(self) -> None:
        """Writes all that the next step depends on, whole or not at all."""
        state = {
            "arguments": self.arguments(),
            "step": self.step,
            "correct_before": self.correct_before,
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "averages": self.averages.values,
            "random": torch.get_rng_state(),
        }
        path = self.options.output / STATE
        partial = path.with_name(f"{STATE}.partial")
        try:
            with uncomplaining(partial) as file:
                torch.save(state, file)
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)

    def load(self) -> None:
        """Raises InputError for a checkpoint that is damaged, or of a run with other arguments."""
        path = self.options.output / STATE
        try:
            state = torch.load(path, weights_only=True)
            found = state["arguments"]
        except (RuntimeError, LookupError, TypeError, EOFError, pickle.UnpicklingError) as error:
            raise InputError(
                f"{path} is no checkpoint of this script, or is damaged: move it elsewhere, or give another --output"
            ) from error
        now = self.arguments()
        other = [f"{name} was {found.get(name)}, is {now[name]}" for name in now if found.get(name) != now[name]]
        if other:
            listed = "; ".join(other)
            raise InputError(f"{path} is of another run ({listed}): move it elsewhere, or give another --output")
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.averages.values = state["averages"]
        self.step, self.correct_before = state["step"], state["correct_before"]
        torch.set_rng_state(state["random"])

    def write_result(self) -> None:
        """The averages, for `from_pretrained`; config.json has the size of the images, and the classes' names."""
        config, path = self.model.config, self.options.output / RESULT
        self.model.load_state_dict(self.averages.values)
        save_weights(self.model, path)
        variant = next(name for name, known in VARIANTS.items() if known.config.num_cells == config.num_cells)
        card = Card(RESULT, sha256(path), (self.options.image_size,) * 2, tuple(self.data.classes))
        text = json.dumps(make_card(card, variant, config, OURS, {"name": self.options.checkpoint.name}), indent=2)
        (path.parent / FILE).write_text(f"{text}\n", encoding="utf-8")


def whole(least: int) -> Callable[[str], int]:
    """Reads a whole number that is `least` or more."""

    def number(text: str) -> int:
        if int(text) < least:
            raise argparse.ArgumentTypeError(f"{text}: expected at least {least}")
        return int(text)

    return number


def rate(text: str) -> float:
    """Reads a learning rate."""
    if not 0 < float(text) < math.inf:
        raise argparse.ArgumentTypeError(f"{text}: expected a number above 0")
    return float(text)


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("checkpoint", type=Path, metavar="CHECKPOINT", help="whatever from_pretrained loads")
    made.add_argument("--weights", metavar="WHICH", help=WHICH)
    made.add_argument("--photographs", type=Path, metavar="FOLDER", help="a folder for each class (default: see above)")
    made.add_argument("--output", type=Path, default=Path("finetuned"), metavar="FOLDER", help="default: %(default)s")
    for name, least, default, text in (
        ("steps", 1, 150, "of training"),
        ("every", 1, 25, "steps between two checkpoints, each with an evaluation"),
        ("batch-size", 2, 16, "images of a step"),
        ("image-size", 1, 97, "pixels, of both sides"),
        ("seed", 0, 0, "of the last layer, the windows and dropout"),
        # On maps this small a second one gains little, and costs much where other work keeps the cores busy.
        ("threads", 1, 1, "that PyTorch computes on"),
    ):
        help_text = f"{text} (default: {default})"
        made.add_argument(f"--{name}", type=whole(least), default=default, metavar="N", help=help_text)
    help_text = "at the beginning (default: %(default)s)"
    made.add_argument("--learning-rate", type=rate, default=0.01, metavar="RATE", help=help_text)
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit codes: 0, 2 for arguments or files that cannot be used, 130 if it was stopped."""
    options = parser().parse_args(arguments)
    torch.set_num_threads(options.threads)
    try:
        Training(options).run()
    except (InputError, WeightsError, OSError) as error:
        print(f"finetune.py: error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("stopped: the same command continues from the last checkpoint", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
