"""What is said while an evaluation runs."""

import io
import logging

import pytest

from parity.imagenet.progress import Meter, shown
from parity.imagenet.record import Answer, Failure, Record

RIGHT = Answer((7, 1, 2, 3, 4), (5.0, 4.0, 3.0, 2.0, 1.0), (1.0, 4.5))
SECOND = Answer((1, 7, 2, 3, 4), (5.0, 4.5, 3.0, 2.0, 1.0), (-0.5, 4.0))


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def meter() -> Meter:
    """One image was done before, three are to be done."""
    made = Meter("mobile-224")
    made.count(Record(0, "a", 7, RIGHT, SECOND))
    made.start(3)
    return made


def test_a_terminal_shows_rate_remaining_time_and_accuracies() -> None:
    terminal = Terminal()
    with shown(meter(), terminal) as report:
        report([Record(1, "b", 7, SECOND, SECOND)], [Failure(2, "c", "is broken")])
    said = terminal.getvalue()
    for part in ("mobile-224", "2 of 3 images", "/s", " left", "1 failed"):
        assert part in said
    assert "TensorFlow 50.00 / 100.00 %" in said


def test_elsewhere_the_last_image_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO), shown(meter(), io.StringIO()) as report:
        report([Record(1, "b", 7, RIGHT, SECOND)], [])
        assert not caplog.messages
        report([Record(2, "c", 7, RIGHT, SECOND), Record(3, "d", 7, RIGHT, SECOND)], [])
    (said,) = caplog.messages
    assert said.startswith("mobile-224: 3 of 3 images, ")
    assert said.endswith("0:00:00 left, TensorFlow 100.00 / 100.00 %, PyTorch port 0.00 / 100.00 %")
