"""From a batch's pixels to its records: what each model answers, and how far their logits lie apart."""

from collections.abc import Mapping

import numpy as np

from parity.imagenet.dataset import Dataset, Image
from parity.imagenet.models import Models
from parity.imagenet.pipeline import Batch
from parity.imagenet.record import Answer, Failure, Record, answer
from pnasnet_torch.decode import ImageError

# On these images the official network's own distance from float64 is measured, which costs more than both forwards:
# the first ones, so that even a small part of the set has some, and then one in so many.
MEASURED_FIRST = 2
MEASURED_EVERY = 250


def answer_batch(models: Models, dataset: Dataset, batch: Batch) -> tuple[list[Record], list[Failure]]:
    """Run the models on a batch, and return its records, and the images of which there is none, with the reason."""
    records: list[Record] = []
    failures: list[Failure] = []
    sound_nhwc = [pixels for pixels in batch.pixels if isinstance(pixels, np.ndarray)]
    logits = models.logits(np.stack(sound_nhwc)) if sound_nhwc else {}
    place = 0  # among the sound images, which alone have logits
    for index, pixels in zip(batch.indices, batch.pixels, strict=True):
        image = dataset.images[index]
        if isinstance(pixels, ImageError):
            failures.append(Failure(index, image.name, str(pixels)))
            continue
        own_logits = {side: side_logits[place] for side, side_logits in logits.items()}
        place += 1
        try:
            truth = None
            if models.truth and measured(index):
                truth = models.truth.logits(pixels[None])[0]
            records.append(_record(index, image, own_logits, truth))
        except ValueError as error:  # a logit that is not finite
            failures.append(Failure(index, image.name, str(error)))
    return records, failures


def measured(index: int) -> bool:
    """Tell whether the official network's own error is measured on the image with this index."""
    return index < MEASURED_FIRST or index % MEASURED_EVERY == 0


def _record(index: int, image: Image, logits: Mapping[str, np.ndarray], truth: np.ndarray | None) -> Record:
    """Return the record of an image, of which each side gives these logits (classes,).

    `truth` are the official logits in float64, where they are measured. Raises ValueError where a logit is not finite.
    """
    answers: dict[str, Answer] = {side: answer(values, image.label, side) for side, values in logits.items()}
    difference = None
    if len(logits) == 2:
        # In float64, so that the difference of two float32 logits is not rounded itself.
        difference = float(np.abs(logits["port"].astype(np.float64) - logits["official"]).max())
    official_error = None
    if truth is not None:
        official_error = float(np.abs(truth - logits["official"]).max())
    return Record(index, image.name, image.label, **answers, difference=difference, official_error=official_error)
