"""Series packed small, frames checked whole, answers told apart."""

from __future__ import annotations

import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairwatt.wire import topics
from fairwatt.wire.errors import BadShape, FrameError
from fairwatt.wire.records import UNKNOWN_I32
from fairwatt.wire.telemetry import (
    SECONDS_MAX,
    Block,
    Kept,
    Series,
    TeleFrame,
    Watch,
    decode_tack,
    decode_tele,
    encode_kept,
    encode_tele,
    encode_watch,
    pack,
    unpack,
)

I32 = st.integers(UNKNOWN_I32, (1 << 31) - 1)


@given(st.lists(st.tuples(I32, I32, I32), min_size=1, max_size=80))
def test_any_series_comes_back_as_it_was(rows: list[tuple[int, int, int]]) -> None:
    series = Series(*([row[n] for row in rows] for n in range(3)))
    assert unpack(pack(series), seconds=len(rows)) == series


def test_a_quiet_minute_is_small() -> None:
    power = [61 + n % 3 for n in range(60)]
    body = pack(Series(power, [2_201 + n % 2 for n in range(60)], [280 + n % 5 for n in range(60)]))
    assert len(body) < 150, "720 bytes of plain figures"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\x00",
        pack(Series([1], [2], [3])) + b"x",
        zlib.compress(bytes(12)),
        pack(Series([1] * 2, [2] * 2, [3] * 2)),
    ],
)
def test_a_body_of_another_length_or_kind_is_refused(body: bytes) -> None:
    with pytest.raises(BadShape):
        unpack(body, seconds=1)


def test_a_body_cannot_blow_up() -> None:
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    bomb = deflate.compress(bytes(50_000_000)) + deflate.flush()
    with pytest.raises(BadShape):
        unpack(bomb, seconds=60)


def test_channels_of_different_length_are_no_series() -> None:
    for series in (Series([1], [], [1]), Series([], [], []), Series(*[[0] * (SECONDS_MAX + 1)] * 3)):
        with pytest.raises(BadShape):
            pack(series)
    with pytest.raises(BadShape):
        pack(Series([1 << 31], [0], [0]))


def test_a_frame_comes_back_as_it_was() -> None:
    body = pack(Series([1, 2], [3, 4], [5, 6]))
    frame = TeleFrame(7, 1_000, (Block(3, 100, 2, ((11, body), (12, body))), Block(5, 102, 2, ((11, body),))))
    assert decode_tele(encode_tele(frame)) == frame


@pytest.mark.parametrize(
    "blocks",
    [
        (Block(2, 0, 1, ((1, b"x"),)), Block(2, 1, 1, ((1, b"x"),))),
        (Block(1, 0, 0, ((1, b"x"),)),),
        (Block(1, 0, SECONDS_MAX + 1, ((1, b"x"),)),),
        (Block(1, 0, 1, ()),),
        (Block(1, 0, 1, ((1, b""),)),),
        (Block(1, 0, 1, ((1, b"x"), (1, b"y"))),),
    ],
    ids=["seq twice", "no second", "too long", "no meter", "empty body", "meter twice"],
)
def test_a_frame_that_cannot_be_is_refused(blocks: tuple[Block, ...]) -> None:
    with pytest.raises(FrameError):
        decode_tele(encode_tele(TeleFrame(1, 0, blocks)))


@given(st.binary(max_size=200))
def test_any_bytes_are_a_frame_or_a_named_fault(data: bytes) -> None:
    for read in (decode_tele, decode_tack):
        try:
            read(data)
        except FrameError as error:
            assert error.code


def test_the_two_answers_are_told_apart() -> None:
    assert decode_tack(encode_kept(epoch=9, seq=4)) == Kept(9, 4)
    assert decode_tack(encode_watch(for_s=30)) == Watch(30)
    with pytest.raises(FrameError):
        decode_tack(encode_watch(for_s=100_000))


def test_telemetry_has_topics_of_its_own() -> None:
    place = {"book": "1", "site": "s", "gateway": "g"}
    subjects = {topics.tele_subject(**place), topics.tack_subject(**place), topics.up_subject(**place)}
    assert len(subjects) == 3
    for subject in (*subjects, "tele.1.s.g"):
        assert topics.parse_subject(subject) == ("1", "s", "g")
