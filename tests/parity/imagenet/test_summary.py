"""What records come to: counts, intervals, flips, and a verdict that excuses rounding alone."""

from collections.abc import Iterable

import pytest

from parity.imagenet.figures import Proportion
from parity.imagenet.options import expectation
from parity.imagenet.record import Answer, Failure, Record
from parity.imagenet.summary import Summary, summarise

SIDES = ("official", "port")
RIGHT = Answer((7, 1, 2, 3, 4), (5.0, 4.0, 3.0, 2.0, 1.0), (1.0, 4.5))
WRONG = Answer((1, 7, 2, 3, 4), (5.0, 4.5, 3.0, 2.0, 1.0), (-0.5, 4.0))
FAR = Answer((1, 2, 3, 4, 5), (5.0, 4.0, 3.0, 2.0, 1.0), (-6.0, -2.0))


def record(index: int, official: Answer, port: Answer, difference: float = 1e-4) -> Record:
    return Record(index, f"image {index}", 7, official, port, difference, 1e-4 if index == 0 else None)


def summary(records: Iterable[Record], count: int, failures: Iterable[Failure] = ()) -> Summary:
    return summarise("mobile-224", count, SIDES, records, failures)


def test_counts_and_agreement() -> None:
    rows = [RIGHT, RIGHT, WRONG, FAR]
    found = summary([record(i, row, row) for i, row in enumerate(rows)], 4)
    assert found.correct == {"official": (2, 3), "port": (2, 3)}
    assert found.same_class == 4
    assert found.disagreements == ()
    assert found.result()


def test_wilson_s_interval() -> None:
    """Against a published table: 81 of 263 gives 0.2553 to 0.3662 (Newcombe 1998)."""
    assert Proportion(81, 263).interval == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert Proportion(0, 0).interval == (0, 1)


def test_mcnemar_s_test_is_exact() -> None:
    """Eight flips, seven of them one way: 2 * (8 + 1) / 2**8."""
    rows = [record(i, RIGHT, WRONG) for i in range(7)] + [record(7, WRONG, RIGHT)]
    found = summary(rows, 8)
    assert found.paired(1) == (7, 1)
    assert found.mcnemar(1) == pytest.approx(18 / 256)


def test_a_flip_within_rounding_is_excused() -> None:
    near = Answer(RIGHT.classes, (4.0002, 4.0, 3.0, 2.0, 1.0), (0.0002, 3.0))
    found = summary([record(0, near, WRONG)], 1)
    assert len(found.disagreements) == 1
    assert found.result()


def test_a_flip_beyond_rounding_is_not() -> None:
    result = summary([record(0, RIGHT, WRONG)], 1).result()
    assert not result
    assert "flips where TensorFlow's margin is beyond twice that: measured 1, allowed 0 (too far)" in str(result)
    assert "image 0, label 7, top-1: TensorFlow right by 1 (best class 7), the port wrong by 0.5 (best class 1)" in str(
        result
    )


def test_a_change_at_top_5_alone_is_found() -> None:
    port = Answer((1, 2, 3, 4, 5), FAR.logits, (-6.0, -2.0))
    official = Answer((1, 2, 3, 4, 7), FAR.logits, (-4.0, 1.0))
    found = summary([record(0, official, port)], 1)
    assert [row.rank for row in found.disagreements] == [5]
    assert not found.result()


def test_logits_further_apart_than_rounding_fail_without_any_flip() -> None:
    assert summary([record(0, RIGHT, RIGHT, 3.9e-4)], 1).result()
    result = summary([record(0, RIGHT, RIGHT, 4.1e-4)], 1).result()
    assert not result
    assert "largest logit difference (image 0)" in str(result)


def test_missing_images_and_broken_files_fail() -> None:
    rows = [record(0, RIGHT, RIGHT)]
    assert not summary(rows, 2).result()
    result = summary(rows, 2, [Failure(1, "b.JPEG", "is not a sound JPEG image")]).result()
    assert not result
    assert "images not evaluated: measured 1, allowed 0" in str(result)
    assert "b.JPEG is not a sound JPEG image" in str(result)


def test_nothing_evaluated_or_no_error_measured_proves_nothing() -> None:
    assert not summary([], 0).result()
    assert not summary([record(1, RIGHT, RIGHT)], 1).result()


def test_a_published_figure_is_met_to_its_digits() -> None:
    """Of 1,000 images 829 right: 0.829 and 0.83 are met, 0.828 is not."""
    rows = [record(i, answer, answer) for i, answer in enumerate([RIGHT] * 829 + [WRONG] * 133 + [FAR] * 38)]
    found = summary(rows, 1000)
    assert found.result(expectation("0.829,0.962"))
    assert found.result(expectation("0.83,0.96"))
    assert not found.result(expectation("0.828,0.962"))
    assert not found.result(expectation("0.829,0.961"))


def test_one_side_alone_is_counted() -> None:
    found = summarise("mobile-224", 1, ["port"], [Record(0, "a", 7, None, RIGHT)], ())
    assert found.correct == {"port": (1, 1)}
    assert found.result()
    assert "official" not in found.as_dict()
