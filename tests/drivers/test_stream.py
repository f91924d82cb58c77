"""Whole frames come out of any dirty stream, however it is cut."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from fairwatt.drivers.dlt645.frame import Frame, build_frame
from fairwatt.drivers.dlt645.stream import FrameStream

ADDRESSES = st.binary(min_size=6, max_size=6)
FRAMES = st.builds(
    Frame, address=ADDRESSES, control=st.integers(0x80, 0xFF), data=st.binary(min_size=0, max_size=24)
)
WAKE = st.integers(0, 4)
QUIET_NOISE = st.binary(max_size=20).map(lambda noise: noise.replace(b"\x68", b"\x86"))


def wire(frame: Frame, *, preamble: int = 0) -> bytes:
    return build_frame(address=frame.address, control=frame.control, data=frame.data, preamble=preamble)


def in_pieces(stream: bytes, cuts: list[int]) -> list[bytes]:
    edges = sorted({0, len(stream), *(cut % (len(stream) + 1) for cut in cuts)})
    return [stream[a:b] for a, b in pairwise(edges)]


@given(
    parts=st.lists(st.tuples(QUIET_NOISE, WAKE, FRAMES), max_size=5),
    cuts=st.lists(st.integers(0, 10_000), max_size=12),
)
def test_any_split_of_noise_and_frames_yields_the_frames(
    parts: list[tuple[bytes, int, Frame]], cuts: list[int]
) -> None:
    stream = b"".join(noise + wire(frame, preamble=wake) for noise, wake, frame in parts)
    listener = FrameStream()

    heard = [frame for piece in in_pieces(stream, cuts) for frame in listener.feed(piece)]

    assert heard == [frame for _, _, frame in parts]
    assert listener.damaged == 0


@given(torn=FRAMES, whole=FRAMES, keep=st.integers(0, 10_000))
def test_a_torn_frame_does_not_hide_the_whole_one_behind_it(torn: Frame, whole: Frame, keep: int) -> None:
    part = wire(torn)
    part = part[: keep % len(part)]

    heard = FrameStream().feed(part + wire(whole))

    assert heard[-1:] == [whole]


@given(frame=FRAMES, where=st.integers(0, 10_000), flip=st.integers(1, 255))
def test_a_frame_with_one_wrong_byte_is_never_believed_as_it_was(frame: Frame, where: int, flip: int) -> None:
    stream = bytearray(wire(frame))
    stream[where % len(stream)] ^= flip
    listener = FrameStream()

    heard = listener.feed(bytes(stream))
    heard += listener.feed(wire(frame))

    assert heard[-1] == frame
    assert heard.count(frame) == 1


def test_a_wrong_checksum_is_counted_as_damage() -> None:
    stream = bytearray(wire(Frame(bytes(6), 0x91, b"\x00\x00\x01\x00")))
    stream[-2] ^= 0xFF
    listener = FrameStream()

    assert listener.feed(bytes(stream)) == []
    assert listener.damaged == 1


@given(noise=st.binary(max_size=2_000), pieces=st.integers(1, 50))
def test_noise_never_fills_the_memory(noise: bytes, pieces: int) -> None:
    listener = FrameStream()
    for at in range(0, len(noise), pieces):
        listener.feed(noise[at : at + pieces])

    assert len(listener._buffer) <= 212  # the longest frame there is
