"""A restore code opens one meter, once, for a while; anything else is refused by its name."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairwatt.core.commands import restore_code as codes
from fairwatt.core.commands.restore_code import HOURS, Lock, Memory, Mistyped, Outcome, Verdict

KEY = codes.gateway_key(master=b"m" * 32, gateway="gw1")
TODAY = 20_000
FRESH = Memory()


def marker(meter: int, said: bytes) -> bytes:
    return codes.mark_of(key=KEY, meter=meter, said=said)


def a_code(*, meter: int = 100, counter: int = 1, hours: int = 24, day: int = TODAY) -> str:
    return codes.write_code(marker=marker, meter=meter, counter=counter, hours=hours, day=day)


def tried(text: str, *, meter: int = 100, memory: Memory = FRESH, today: int = TODAY) -> Verdict:
    others = [other for other in (100, 101, 102) if other != meter]
    return codes.judge(
        typed=codes.read_code(text), meter=meter, others=others, memory=memory, today=today, marker=marker
    )


@given(
    meter=st.integers(1, (1 << 64) - 1),
    used=st.integers(0, 5000),
    ahead=st.integers(1, codes.AHEAD_MAX),
    hours=st.sampled_from(HOURS),
    day=st.integers(19_000, 60_000),
    late=st.integers(-1, codes.TYPED_WITHIN_DAYS),
)
def test_what_was_issued_is_taken(meter: int, used: int, ahead: int, hours: int, day: int, late: int) -> None:
    text = codes.grouped(a_code(meter=meter, counter=used + ahead, hours=hours, day=day))
    assert len(text) == 19
    verdict = tried(text, meter=meter, memory=Memory(used), today=day + late)
    assert verdict == (Outcome.ACCEPTED, used + ahead, hours, day)


@given(place=st.integers(0, 15), by=st.integers(1, 9))
def test_a_wrong_digit_is_a_mistyped_code_and_no_guess(place: int, by: int) -> None:
    digits = a_code()
    wrong = digits[:place] + str((int(digits[place]) + by) % 10) + digits[place + 1 :]
    with pytest.raises(Mistyped):
        codes.read_code(wrong)


@given(place=st.integers(0, 14))
def test_swapped_neighbours_are_a_mistyped_code(place: int) -> None:
    digits = a_code()
    swapped = digits[:place] + digits[place + 1] + digits[place] + digits[place + 2 :]
    if swapped != digits:
        with pytest.raises(Mistyped):
            codes.read_code(swapped)


@given(text=st.text(max_size=300))
def test_any_text_is_a_code_or_mistyped(text: str) -> None:
    try:
        typed = codes.read_code(text)
    except Mistyped:
        return
    assert typed.hours in HOURS


def test_blanks_dashes_and_full_width_digits_are_read() -> None:
    digits = a_code()
    wide = "".join(chr(ord(digit) + 0xFEE0) for digit in digits)
    assert codes.read_code(f" {wide[:4]}\u3000{wide[4:8]}-{wide[8:]}\n") == codes.read_code(digits)


def test_each_refusal_has_its_name() -> None:
    first, second = a_code(counter=1), a_code(counter=2)
    after_second = Memory().using(2)
    assert tried(second, memory=after_second).outcome is Outcome.USED
    assert tried(first, memory=after_second).outcome is Outcome.OLD
    assert tried(first, memory=Memory().using(1).using(9)).outcome is Outcome.USED
    assert tried(first, today=TODAY + codes.TYPED_WITHIN_DAYS + 1).outcome is Outcome.EXPIRED
    assert tried(first, today=TODAY - 2).outcome is Outcome.NOT_YET
    assert tried(first, meter=101).outcome is Outcome.OTHER_METER
    assert tried(first, meter=200).outcome is Outcome.OTHER_METER
    assert tried(a_code(meter=999)).outcome is Outcome.WRONG


def test_a_year_later_a_code_does_not_come_round_again() -> None:
    assert tried(a_code(), today=TODAY + 32).outcome is Outcome.WRONG
    assert tried(a_code(), memory=Memory(300)).outcome is Outcome.WRONG


@given(counters=st.lists(st.integers(1, 250), unique=True, min_size=1, max_size=20))
def test_the_memory_knows_each_used_counter_in_its_window(counters: list[int]) -> None:
    memory = Memory()
    for counter in sorted(counters):
        memory = memory.using(counter)
    for counter in range(max(1, memory.highest - 63), memory.highest + 1):
        assert memory.has_used(counter) is (counter in counters)


def test_guessing_takes_for_ever() -> None:
    assert [codes.wait_s(n) for n in (0, 2, 3, 4, 5, 9, 1000)] == [0, 0, 60, 120, 240, 3600, 3600]
    lock = Lock()
    for _ in range(5):
        lock = lock.failed(now_us=1_000_000)
    assert lock.until_us == 1_000_000 + 240_000_000
    assert lock.seen(now_us=0).until_us == 240_000_000, "a clock set back does not stretch the wait"


def test_keys_of_gateways_and_meters_differ() -> None:
    other = codes.gateway_key(master=b"m" * 32, gateway="gw2")
    marks = {codes.mark_of(key=key, meter=meter, said=b"x") for key in (KEY, other) for meter in (100, 101)}
    assert len(marks) == 4
