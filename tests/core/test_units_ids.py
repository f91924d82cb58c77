"""Units are exact and shown without flattery; keys name facts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairwatt.core.ids import account_key, payment_key, tariff_key, uuid7
from fairwatt.core.units import format_money, format_used, micro_from_minor


def test_minor_units_become_micro_units_exactly() -> None:
    assert micro_from_minor(amount_minor=1_234, minor_digits=2) == 12_340_000
    assert micro_from_minor(amount_minor=5, minor_digits=0) == 5_000_000
    assert micro_from_minor(amount_minor=7, minor_digits=3) == 7_000
    with pytest.raises(ValueError, match="0 and 6"):
        micro_from_minor(amount_minor=1, minor_digits=7)


@pytest.mark.parametrize(
    ("micro", "currency", "places", "text"),
    [
        (12_345_678, "CNY", 2, "¥12.34"),
        (-12_345_678, "CNY", 2, "-¥12.35"),
        (-1, "GBP", 2, "-£0.01"),
        (0, "GBP", 2, "£0.00"),
        (1_234_567_000_000, "CNY", 2, "¥1,234,567.00"),
        (1, "KES", 6, "KES 0.000001"),
        (1_999_999, "JPY", 0, "JPY 1"),
    ],
)
def test_money_is_shown_rounded_down_so_credit_is_never_overstated(
    micro: int, currency: str, places: int, text: str
) -> None:
    assert format_money(micro=micro, currency=currency, places=places) == text


@given(st.integers(-(10**15), 10**15), st.integers(-(10**15), 10**15))
def test_what_is_shown_never_exceeds_what_is_held(a: int, b: int) -> None:
    def shown(micro: int) -> int:
        text = format_money(micro=micro, currency="CNY").replace("¥", "").replace(",", "")
        return int(text.replace(".", "")) * 10_000

    assert shown(a) <= a < shown(a) + 10_000
    assert (a <= b) <= (shown(a) <= shown(b))


def test_energy_is_shown_in_kwh() -> None:
    assert format_used(wh=12_345) == "12.34 kWh"
    assert format_used(wh=12_345, places=3) == "12.345 kWh"
    assert format_used(wh=-1) == "-0.01 kWh"
    assert format_used(wh=1_234_567, places=0) == "1,234 kWh"


def test_places_outside_the_unit_are_refused() -> None:
    with pytest.raises(ValueError, match="decimals"):
        format_money(micro=1, currency="CNY", places=7)
    with pytest.raises(ValueError, match="decimals"):
        format_used(wh=1, places=4)


def test_natural_keys_read_as_their_fact() -> None:
    assert payment_key(provider="sandbox", event="e-1") == "pay:sandbox:e-1"
    assert tariff_key(publication=7) == "tariff:7"
    assert account_key(wallet=9) == "account:9"


@given(
    st.tuples(st.text(min_size=1), st.text(min_size=1)), st.tuples(st.text(min_size=1), st.text(min_size=1))
)
def test_different_payments_never_share_a_key(a: tuple[str, str], b: tuple[str, str]) -> None:
    same = payment_key(provider=a[0], event=a[1]) == payment_key(provider=b[0], event=b[1])
    assert same == (a == b)


def test_a_key_without_a_part_is_refused() -> None:
    with pytest.raises(ValueError, match="empty part"):
        payment_key(provider="sandbox", event="")


@given(st.integers(0, 2**48 * 1_000 - 1), st.integers(0, 10**9), st.binary(min_size=8, max_size=16))
def test_row_ids_are_version_7_and_sort_by_time(now_us: int, later_us: int, entropy: bytes) -> None:
    made = uuid7(now_us=now_us, entropy=entropy)
    assert (made.version, made.variant) == (7, "specified in RFC 4122")
    assert made.int >> 80 == now_us // 1_000
    then = min(now_us + later_us, 2**48 * 1_000 - 1)
    assert uuid7(now_us=then, entropy=bytes(8)).int >> 64 >= made.int >> 64


def test_a_row_id_needs_random_bytes_and_an_instant_it_can_hold() -> None:
    with pytest.raises(ValueError, match="8 random bytes"):
        uuid7(now_us=0, entropy=b"short")
    with pytest.raises(ValueError, match="does not fit"):
        uuid7(now_us=-1, entropy=bytes(8))
