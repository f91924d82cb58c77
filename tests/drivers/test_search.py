"""Everybody on a DL/T 645 bus is found, however they talk over each other."""

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from fairwatt.drivers.dlt645.frame import READ_ADDRESS, READ_DATA, address_matches, build_frame
from fairwatt.drivers.dlt645.search import Found, Probe, search
from fairwatt.drivers.dlt645.stream import FrameStream
from fairwatt.simulate.meters import Dlt645Bus, SimMeter
from fairwatt.simulate.meters.faults import Fault, FaultKind


def hear(bus: Dlt645Bus, probe: Probe) -> None:
    for frame in FrameStream().feed(probe.request()):
        for heard, _ in bus.answer(frame=frame):
            probe.feed(heard)


def found_on(numbers: list[str], *, thorough: bool = False, **settings_: int) -> Found:
    dice = Random(str(numbers))
    meters = [SimMeter(number=one, register_wh=dice.randrange(1, 90_000_000)) for one in numbers]
    bus, found = Dlt645Bus(meters=meters, now=lambda: 0), Found()
    for probe in search(found=found, thorough=thorough, **settings_):
        hear(bus, probe)
    return found


def test_an_empty_bus_is_one_question() -> None:
    found = found_on([])
    assert (found.addresses, found.questions) == (set(), 1)


def test_one_meter_is_three_questions() -> None:
    found = found_on(["202700000001"])
    assert (found.addresses, found.questions) == ({"202700000001"}, 3)


@given(
    st.sets(st.integers(0, 999_999_999_998), min_size=2, max_size=6),
    st.integers(0, 999_999_999_000),
    st.integers(0, 17),
)
@settings(max_examples=25)
def test_all_of_any_meters_are_found_and_nobody_else(apart: set[int], base: int, in_a_row: int) -> None:
    numbers = {f"{number:012d}" for number in (*apart, *range(base, base + in_a_row))}
    found = found_on(sorted(numbers), thorough=True)
    assert found.addresses == numbers
    assert not found.shared | found.spoiled
    assert not found.gave_up


def test_meters_that_share_their_endings_are_told_apart_by_what_is_above() -> None:
    numbers = {"202700000001", "202700000101", "202700010001", "112700000001"}
    assert found_on(sorted(numbers)).addresses == numbers


def test_two_that_answer_to_one_address_are_told_of() -> None:
    """Their answers to 13H are the same bytes; their registers are not."""
    found = Found()
    address = bytes.fromhex("202700000001")[::-1]
    for probe in search(found=found):
        request = FrameStream().feed(probe.request())[0]
        if not address_matches(pattern=request.address, address=address):
            continue
        if request.control == READ_ADDRESS:
            probe.feed(build_frame(address=address, control=READ_ADDRESS | 0x80, data=address))
        else:
            one = build_frame(
                address=address, control=READ_DATA | 0x80, data=request.data + b"\x78\x56\x34\x12"
            )
            probe.feed(one[:-3] + b"\x11" + one[-2:])
    assert found.addresses == found.shared == {"202700000001"}


def test_a_meter_whose_answers_never_come_whole_is_told_of_and_hides_nobody() -> None:
    there = [SimMeter(number=f"20270000000{n}", register_wh=12_340 * n) for n in (1, 2, 3)]
    there[1].faults.add(Fault(FaultKind.CHECKSUM))
    bus, found = Dlt645Bus(meters=there, now=lambda: 0), Found()
    for probe in search(found=found):
        hear(bus, probe)
    assert found.addresses == {"202700000001", "202700000003"}
    assert found.spoiled == {"202700000002"}


def test_an_echo_of_the_question_is_nobody() -> None:
    probe = Probe(pattern=b"\xaa" * 6)
    probe.feed(probe.request())
    assert (probe.answered, probe.crowded) == ([], False)


def test_a_line_of_noise_ends_the_search() -> None:
    found, dice = Found(), Random("noise")
    for probe in search(found=found, questions_max=300):
        probe.request()
        probe.feed(dice.randbytes(12))
    assert found.gave_up
    assert found.addresses == set()
