"""What is asked for, and what is asked for in vain."""

from dataclasses import dataclass
from pathlib import Path

from parity.core.errors import InputError
from pnasnet_torch.checkpoint import PART
from pnasnet_torch.formats import FORMATS
from pnasnet_torch.hub import FILE, read_card
from pnasnet_torch.weights import OURS, TF

CHECKPOINT = ".ckpt"
TARGETS = (*FORMATS, CHECKPOINT)
# The format beside which config.json stands.
HUB = ".safetensors"


class RequestError(InputError):
    """The command cannot be carried out as it was given."""


class NotVerifiedError(Exception):
    """The converted weights make another network than the official one."""


@dataclass(frozen=True)
class Request:
    """A conversion. Without `names` the target has the port's own, a checkpoint TensorFlow's; without `source_names`
    the source has those that fit. `version` is the checkpoint's format, 1 or 2."""

    source: Path
    target: Path
    names: str | None = None
    source_names: str | None = None
    classes: int | None = None
    drop_aux_head: bool = False
    version: int | None = None
    force: bool = False
    verify: bool = False

    @property
    def is_checkpoint(self) -> bool:
        return self.target.suffix == CHECKPOINT

    @property
    def target_names(self) -> str:
        return self.names or (TF if self.is_checkpoint else OURS)

    def replaced(self) -> list[Path]:
        """The files that are there and belong to what the target's name stands for."""
        if not self.is_checkpoint:
            found = [self.target] if self.target.exists() else []
            return found + ([self.target.with_name(FILE)] if self.target.suffix == HUB and self._has_card() else [])
        parts = ((path, PART.fullmatch(path.name)) for path in self.target.parent.iterdir())
        return [path for path, part in parts if self.target.name in (path.name, part and part[1])]

    def _has_card(self) -> bool:
        return self.target.with_name(FILE).exists()

    def check(self) -> None:
        """Raises RequestError, saying what to give instead, if the target cannot be written as asked."""
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
        if not target.parent.is_dir():
            raise RequestError(f"{target}: there is no folder {target.parent}: make it first")
        if target.suffix == HUB and self._has_card():
            self._check_card()
        if (found := self.replaced()) and not self.force:
            raise RequestError(f"{', '.join(map(str, found))}: already there; --force replaces it")

    def _check_card(self) -> None:
        """Each network needs a folder of its own, since a hub knows config.json by that name alone."""
        target, card = self.target, read_card(self.target.parent)
        if card is None or card.weights != target.name:
            described = card.weights if card else "something else"
            raise RequestError(
                f"{target.with_name(FILE)} describes {described}, and {target.name} needs a {FILE}, too: "
                "give each network a folder of its own"
            )
