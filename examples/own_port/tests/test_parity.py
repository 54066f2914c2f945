"""The regression test: every layer of the port, against golden digests of the official network."""

from collections.abc import Callable

from own_port.model import PNASNetMobile


def test_port(parity_check: Callable[..., None]) -> None:
    parity_check(PNASNetMobile)


def test_port_on_images_that_are_not_square(parity_check: Callable[..., None]) -> None:
    parity_check(PNASNetMobile, image_size="97x131")
