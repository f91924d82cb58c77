"""The up and down frames: what goes in comes out, and nothing else gets in."""

import time

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairwatt.wire import cbor, frames
from fairwatt.wire.errors import BadShape, BadVersion, Damaged, FrameError, MalformedCbor, TooLarge
from fairwatt.wire.frames import Ack, Commands, Event, Item, SayAgain, UpFrame

SEQ = st.integers(1, 2**63 - 1)
ITEMS = st.lists(st.tuples(SEQ, st.integers(1, 3), st.binary(min_size=1, max_size=80)), max_size=6).map(
    lambda rows: tuple(Item(*row) for row in sorted({row[0]: row for row in rows}.values()))
)


def a_frame(**changes: object) -> UpFrame:
    frame = UpFrame(
        epoch=1_357_000_000_000_000,
        boot_id=b"boot-001",
        uptime_ms=5000,
        clock_us=1_357_000_060_000_000,
        oldest_seq=5,
        hello=False,
        items=(Item(5, 1, b"x" * 40), Item(6, 3, b"y")),
    )
    return frame._replace(**changes)  # type: ignore[arg-type]


@given(items=ITEMS, hello=st.booleans(), clock_us=st.integers(-(2**63), 2**63 - 1))
def test_an_up_frame_comes_back_as_it_went(items: tuple[Item, ...], hello: bool, clock_us: int) -> None:
    frame = a_frame(items=items, oldest_seq=1, hello=hello, clock_us=clock_us)
    assert frames.decode_up(frames.encode_up(frame)) == frame


@given(data=st.binary(max_size=200))
def test_any_bytes_are_a_frame_or_a_named_fault(data: bytes) -> None:
    sealed = frames.seal(data)
    for decode, bytes_given in (
        (frames.decode_up, data),
        (frames.decode_up, sealed),
        (frames.decode_down, sealed),
        (frames.decode_event, data),
    ):
        try:
            decode(bytes_given)
        except FrameError as error:
            assert error.code


@given(position=st.integers(0, 10**6), flips=st.integers(1, 255))
def test_a_frame_with_a_damaged_byte_is_never_used(position: int, flips: int) -> None:
    ack = frames.encode_ack(epoch=7, seq=9, now_us=1)
    for whole, decode in ((frames.encode_up(a_frame()), frames.decode_up), (ack, frames.decode_down)):
        data = bytearray(whole)
        data[position % len(data)] ^= flips
        with pytest.raises(Damaged):
            decode(bytes(data))


@given(position=st.integers(0, 10**6), byte=st.integers(0, 255))
def test_a_forged_frame_with_a_right_checksum_never_raises_anything_but_a_frame_error(
    position: int, byte: int
) -> None:
    data = bytearray(frames.encode_up(a_frame())[:-4])
    data[position % len(data)] = byte
    try:
        frames.decode_up(frames.seal(bytes(data)))
    except FrameError:
        pass


@pytest.mark.parametrize(
    "changes",
    [
        {"epoch": 0},
        {"epoch": True},
        {"boot_id": b"short"},
        {"uptime_ms": -1},
        {"clock_us": 2**63},
        {"oldest_seq": 0},
        {"hello": 1},
        {"items": (Item(6, 1, b"x"), Item(5, 1, b"x"))},
        {"items": (Item(5, 1, b"x"), Item(5, 1, b"x"))},
        {"items": (Item(4, 1, b"x"),)},
        {"items": (Item(5, 4, b"x"),)},
        {"items": (Item(5, 1, b""),)},
        {"items": (Item(5, 1, b"x" * (frames.MAX_BODY_BYTES + 1)),)},
    ],
)
def test_a_field_of_a_wrong_type_or_range_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(BadShape):
        frames.encode_up(a_frame(**changes))


def test_trailing_bytes_and_indefinite_lengths_are_refused() -> None:
    data = frames.encode_up(a_frame())[:-4]
    for bad in (data + b"\x00", data[:-1], b"\x9f" + data[1:] + b"\xff"):
        with pytest.raises(MalformedCbor):
            frames.decode_up(frames.seal(bad))
    with pytest.raises(Damaged):
        frames.decode_up(b"")


def test_numbers_written_longer_than_needed_are_refused() -> None:
    data = frames.encode_ack(epoch=7, seq=9, now_us=1)
    assert data[3:4] == b"\x07"
    with pytest.raises(MalformedCbor):
        frames.decode_down(frames.seal(data[:3] + b"\x18\x07" + data[4:-4]))


def test_other_versions_and_huge_frames_have_their_own_codes() -> None:
    with pytest.raises(BadVersion):
        frames.decode_up(frames.seal(cbor2.dumps([3, "whatever"])))
    with pytest.raises(TooLarge):
        frames.decode_up(b"\x00" * (frames.MAX_FRAME_BYTES + 1))
    with pytest.raises(FrameError):
        frames.decode_up(frames.seal(b"\x81" * 5000))


def test_down_frames_come_back_as_they_went() -> None:
    assert frames.decode_down(frames.encode_ack(epoch=3, seq=0, now_us=9)) == Ack(3, 0, 9)
    assert frames.decode_down(frames.encode_commands([b"one", b"two"])) == Commands((b"one", b"two"))
    assert frames.decode_down(frames.encode_say_again(epoch=3, after_seq=0)) == SayAgain(3, 0)


def test_any_number_of_commands_fits_frames_that_the_edge_takes() -> None:
    messages = [n.to_bytes(2, "big") * 350 for n in range(1000)]
    with pytest.raises(TooLarge):
        frames.decode_down(frames.encode_commands(messages))
    carried: list[bytes] = []
    for frame in frames.command_frames(messages):
        assert len(frame) <= frames.COMMANDS_BYTES
        down = frames.decode_down(frame)
        assert isinstance(down, Commands)
        carried += down.messages
    assert carried == messages


@given(
    messages=st.lists(st.binary(max_size=400), max_size=40),
    max_bytes=st.integers(100, 1000),
)
def test_frames_of_commands_keep_the_order_and_the_limit(messages: list[bytes], max_bytes: int) -> None:
    carried: list[bytes] = []
    for frame in frames.command_frames(messages, max_bytes=max_bytes):
        down = frames.decode_down(frame)
        assert isinstance(down, Commands)
        assert len(frame) <= max_bytes or len(down.messages) == 1
        carried += down.messages
    assert carried == messages


def test_no_frame_holds_more_commands_than_the_edge_takes_or_one_it_cannot_read() -> None:
    small = frames.command_frames([b"x"] * (frames.MAX_ITEMS + 1))
    assert [len(frames.decode_down(frame)[0]) for frame in small] == [frames.MAX_ITEMS, 1]  # type: ignore[arg-type]
    with pytest.raises(TooLarge):
        frames.command_frames([b"x" * (64 * 1024 + 1)])


def test_a_tag_inside_itself_is_a_named_fault_too() -> None:
    data = bytes.fromhex("a1d81cc8d81d0000")
    for decode, bytes_given in (
        (frames.decode_up, frames.seal(data)),
        (frames.decode_down, frames.seal(data)),
        (frames.decode_event, data),
    ):
        with pytest.raises(MalformedCbor):
            decode(bytes_given)


@pytest.mark.parametrize(
    "value",
    [
        [2],
        [2, 2, []],
        [2, 2, 0, 5],
        [2, 2, 1, -1],
        [2, 2, 1, 2, 3],
        [2, 3, []],
        [2, 0, 3, 4],
        [2, 1, ["text"]],
        [2, 1, b""],
        {},
        5,
        [True, 0],
    ],
)
def test_a_wrong_down_frame_is_refused(value: object) -> None:
    with pytest.raises(BadShape):
        frames.decode_down(frames.seal(cbor2.dumps(value, canonical=True)))


def test_an_event_comes_back_and_takes_no_nested_detail() -> None:
    event = Event(
        "meter_silent", 5, 2**64 - 1, {"why": "no_answer", "count": 3, "raw": b"\x01", "none": None}
    )
    assert frames.decode_event(frames.encode_event(event)) == event
    with pytest.raises(BadShape):
        frames.encode_event(Event("x", 5, 0, {"nested": [1]}))  # type: ignore[dict-item]
    with pytest.raises(BadShape):
        frames.encode_event(Event("x", 5, 0, {"float": 1.5}))  # type: ignore[dict-item]


def test_frames_in_order_are_acknowledged_to_their_end() -> None:
    frame = a_frame(oldest_seq=1, items=(Item(5, 1, b"x"), Item(9, 1, b"x")))
    assert frames.stored_up_to(stored_seq=4, frame=frame) == 9
    assert frames.stored_up_to(stored_seq=20, frame=frame) == 20


def test_a_frame_that_overtook_another_is_not_acknowledged() -> None:
    frame = a_frame(oldest_seq=1, items=(Item(5, 1, b"x"),))
    assert frames.stored_up_to(stored_seq=3, frame=frame) == 3


def test_what_the_gateway_no_longer_has_is_not_waited_for() -> None:
    frame = a_frame(oldest_seq=5, items=(Item(5, 1, b"x"),))
    assert frames.stored_up_to(stored_seq=0, frame=frame) == 5
    assert frames.stored_up_to(stored_seq=0, frame=a_frame(oldest_seq=8, items=())) == 7


@pytest.mark.parametrize(
    "head", ["d823", "d90023", "da00000023", "db0000000000000023", "d824", "9fd823", "81c1d823"]
)
def test_a_tag_that_costs_its_reader_dearly_is_not_even_read(head: str) -> None:
    text = b"a|b" * 60_000
    hostile = bytes.fromhex(head) + b"\x7a" + len(text).to_bytes(4) + text
    began_s = time.process_time()
    for _ in range(20):
        with pytest.raises(MalformedCbor, match="nothing here writes"):
            cbor.decode(hostile, max_bytes=len(hostile), what="it")
    assert time.process_time() - began_s < 1, "each took half a second, and stayed in memory"


@given(st.binary(max_size=40), st.binary(max_size=40))
def test_bytes_that_look_like_such_a_tag_are_bytes(before: bytes, after: bytes) -> None:
    value = [1, before + b"\xd8\x23" + after, {"k": [before, "\u0423", -1, True, None]}, 1 << 40]
    assert cbor.decode(cbor.encode(value), max_bytes=1000, what="it") == value
