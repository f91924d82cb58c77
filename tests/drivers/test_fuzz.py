"""Whatever arrives, nothing breaks: bytes become pieces, fields, or an error with a name. Long: `make soak`."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from fairwatt.drivers.contract import DriverError
from fairwatt.drivers.dlt645.catalog import find_entry
from fairwatt.drivers.dlt645.explain import explain
from fairwatt.drivers.dlt645.forms import write_values
from fairwatt.drivers.dlt645.frame import Frame, close_frame
from fairwatt.drivers.dlt645.layouts import understand
from fairwatt.drivers.dlt645.scan import scan
from fairwatt.drivers.dlt645.stream import FrameStream

FRAMES = st.builds(
    Frame,
    address=st.binary(min_size=6, max_size=6),
    control=st.integers(0, 255),
    data=st.binary(max_size=60),
)
LINES = st.lists(
    st.one_of(
        FRAMES.map(lambda frame: close_frame(frame=frame)),
        FRAMES.map(lambda frame: close_frame(frame=frame)[:-1]),
        st.binary(max_size=20),
        st.sampled_from([b"\xfe" * 4, b"\x68", b"\x16"]),
    ),
    max_size=6,
).map(b"".join)


@given(LINES)
def test_every_byte_of_a_line_is_told_once_and_the_frames_are_those_of_the_stream(line: bytes) -> None:
    pieces = scan(data=line)
    assert b"".join(piece.raw for piece in pieces) == line
    assert [piece.offset for piece in pieces] == sorted({piece.offset for piece in pieces})
    assert [piece.frame for piece in pieces if piece.frame] == FrameStream().feed(line)
    assert len(explain(data=line)) == len(pieces)


@given(FRAMES)
def test_the_fields_of_any_frame_are_its_data_again_or_it_is_refused_by_name(frame: Frame) -> None:
    try:
        meaning = understand(frame=frame)
    except DriverError as error:
        assert error.code == "unreadable_value"
    else:
        assert write_values(meaning.values) == frame.data


IDENTIFIERS = st.tuples(
    st.sampled_from([0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x07, 0x1D, 0x1E]),
    st.integers(0, 0x90),
    st.sampled_from([0, 1, 2, 3, 5, 0x0D, 0xFF]),
    st.sampled_from([0, 1, 2, 12, 0xFF]),
).map(lambda parts: int.from_bytes(bytes(parts)))


@given(identifier=IDENTIFIERS, data=st.data())
def test_digits_in_any_item_of_the_catalogue_come_back_as_they_went(
    identifier: int, data: st.DataObject
) -> None:
    entry = find_entry(identifier=identifier)
    if entry is None or entry.size == 0:
        return
    digits = st.integers(0, 99).map(lambda number: int(f"{number:02d}", 16))
    value = bytes(data.draw(st.lists(digits, min_size=entry.size, max_size=entry.size)))
    assert write_values(entry.read(value)) == value
