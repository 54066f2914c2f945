"""Faults of the images as they enter the network (N, 3, H, W), from -1 to 1, and of the first convolution."""

from parity.faults.fault import Fault
from parity.faults.plant import followed_by, with_images

INPUT = (
    # What becomes of the images before the first layer is in no layer: the verdict calls it wiring.
    Fault("BGR", lambda _: ["conv0"], with_images(lambda x: x.flip(1)), kind="wiring"),
    Fault("pixels from 0 to 1", lambda _: ["conv0"], with_images(lambda x: x / 2 + 0.5), kind="wiring"),
    Fault("pixels from 0 to 255", lambda _: ["conv0"], with_images(lambda x: (x + 1) * 127.5), kind="wiring"),
    # Near the usual means and deviations of ImageNet, one for all channels.
    Fault(
        "mean and deviation of ImageNet",
        lambda _: ["conv0"],
        with_images(lambda x: (x / 2 + 0.5 - 0.45) / 0.225),
        kind="wiring",
    ),
    Fault("image turned", lambda _: ["conv0"], with_images(lambda x: x.transpose(2, 3)), kind="wiring"),
    Fault("image mirrored", lambda _: ["conv0"], with_images(lambda x: x.flip(3)), kind="wiring"),
    Fault("image shifted by a pixel", lambda _: ["conv0"], with_images(lambda x: x.roll(1, 3)), kind="wiring"),
    Fault("stem scaled", lambda _: ["conv0"], followed_by(lambda x: x * 0.9)),
)
