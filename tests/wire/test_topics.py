"""Topics and subjects name one gateway and nothing else."""

import pytest

from fairwatt.wire import topics
from fairwatt.wire.errors import BadTopic
from fairwatt.wire.topics import Address

PLACE = {"book": "b1", "site": "north-7", "gateway": "gw_01"}


def test_a_topic_and_its_subject_say_the_same() -> None:
    assert topics.up(**PLACE) == "fw/v1/b1/north-7/gw_01/up"
    assert topics.up_subject(**PLACE) == "fw.v1.b1.north-7.gw_01.up"
    assert topics.down(**PLACE) == "fw/v1/b1/north-7/gw_01/down"
    assert topics.down_subject(**PLACE) == "fw.v1.b1.north-7.gw_01.down"
    assert topics.book_filter(book="b1") == "in.b1.>"


@pytest.mark.parametrize("subject", ["in.b1.north-7.gw_01", "fw.v1.b1.north-7.gw_01.up"])
def test_a_subject_tells_who_spoke(subject: str) -> None:
    assert topics.parse_subject(subject) == Address("b1", "north-7", "gw_01")


@pytest.mark.parametrize("part", ["", "a.b", "a/b", "*", ">", "+", "#", "a b", "é", "a\n", "x" * 65])
def test_no_part_can_reach_another_gateways_topic(part: str) -> None:
    with pytest.raises(BadTopic):
        topics.up(**(PLACE | {"gateway": part}))
    with pytest.raises(BadTopic):
        topics.book_filter(book=part)


@pytest.mark.parametrize(
    "subject", ["", "in.b.s", "in.b.s.g.x", "fw.v2.b.s.g.up", "fw.v1.b.s.g.side", "in.b..g"]
)
def test_a_foreign_subject_is_refused(subject: str) -> None:
    with pytest.raises(BadTopic):
        topics.parse_subject(subject)
