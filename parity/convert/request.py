"""What is asked for, and what is asked for in vain."""

from dataclasses import dataclass
from pathlib import Path

from parity.core.errors import InputError, JobError
from parity.core.files import check_writable
from pnasnet_torch.checkpoint import PART
from pnasnet_torch.formats import FORMATS
from pnasnet_torch.hub import FILE, read_card
from pnasnet_torch.targets import OURS, TF

CHECKPOINT = ".ckpt"
TARGETS = (*FORMATS, CHECKPOINT)
# The format beside which config.json stands.
HUB = ".safetensors"


class RequestError(InputError):
    """A command that cannot be carried out as it was given."""


class NotVerifiedError(JobError):
    """Converted weights that make another network than the official one."""


@dataclass(frozen=True)
class Request:
    """A conversion from `source` to `target`, with what is to be changed on the way.

    Without `names` the target has the port's own, a checkpoint TensorFlow's; without `source_names` the source has
    those that fit. `weights` chooses among several that the source has: `raw`, `average`, or their key. `version` is
    the checkpoint's format, 1 or 2.
    """

    source: Path
    target: Path
    names: str | None = None
    source_names: str | None = None
    weights: str | None = None
    classes: int | None = None
    drop_aux_head: bool = False
    version: int | None = None
    force: bool = False
    verify: bool = False

    @property
    def is_checkpoint(self) -> bool:
        """Whether the target is a TensorFlow checkpoint."""
        return self.target.suffix == CHECKPOINT

    @property
    def target_names(self) -> str:
        """The names that the target's tensors get."""
        if self.names:
            return self.names
        return TF if self.is_checkpoint else OURS

    def replaced(self) -> list[Path]:
        """Return the files that are there and belong to what the target's name stands for."""
        if self.is_checkpoint:
            return self._files_of_checkpoint()
        files = []
        if self.target.exists():
            files.append(self.target)
        if self._has_card():
            files.append(self.target.with_name(FILE))
        return files

    def _files_of_checkpoint(self) -> list[Path]:
        """Return the files of the checkpoint that the target would replace, of either format."""
        files = []
        for path in self.target.parent.iterdir():
            # Not all that begins alike: model.ckpt-1 is another checkpoint, model.ckpt.index a part of this one.
            part = PART.fullmatch(path.name)
            if path.name == self.target.name or (part and part[1] == self.target.name):
                files.append(path)
        return files

    def _has_card(self) -> bool:
        """Return whether there is a config.json already where the target comes with one."""
        return self.target.suffix == HUB and self.target.with_name(FILE).exists()

    def check(self) -> None:
        """Raise InputError, saying what to give instead, if the target cannot be written as asked."""
        target = self.target
        if target.suffix not in TARGETS:
            raise RequestError(
                f"{target}: unknown format {target.suffix!r}: expected {', '.join(FORMATS)}, or "
                f"{CHECKPOINT} for a TensorFlow checkpoint"
            )
        if self.is_checkpoint and self.target_names != TF:
            raise RequestError(f"--names {self.names}: a TensorFlow checkpoint has TensorFlow's names alone, {TF}")
        if self.version and not self.is_checkpoint:
            raise RequestError(f"--checkpoint-version is for a target that ends in {CHECKPOINT}, not for {target.name}")
        self._check_place()
        # Before --force is asked for, which does not help against another network's config.json.
        if self._has_card():
            self._check_card()
        present = self.replaced()
        if present and not self.force:
            raise RequestError(f"{', '.join(map(str, present))}: already there; --force replaces it")

    def _check_place(self) -> None:
        """Raise InputError unless a file can be written where the target is to be."""
        target = self.target
        if target.is_dir():
            raise RequestError(f"{target} is a folder: name a file, in it or elsewhere")
        if target.parent.exists() and not target.parent.is_dir():
            raise RequestError(f"{target}: {target.parent} is a file: name a folder")
        if not target.parent.exists():
            raise RequestError(f"{target}: there is no folder {target.parent}: make it first")
        check_writable(target.parent)

    def _check_card(self) -> None:
        """Raise RequestError where config.json is not the target's.

        Each network needs a folder of its own, since a hub knows config.json by that name alone.
        """
        card = read_card(self.target.parent)
        if card is None or card.weights != self.target.name:
            described = card.weights if card else "something else"
            raise RequestError(
                f"{self.target.with_name(FILE)} describes {described}, and {self.target.name} needs a {FILE}, too: "
                "give each network a folder of its own"
            )
