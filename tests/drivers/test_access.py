"""What needs a password or moves money: writes, addresses, speeds, passwords, clearing, the meter's own wallet."""

from __future__ import annotations

from typing import Any

import pytest

from drivers.line import say
from fairwatt.drivers.contract import Accepted, EventCount, MeterEventKind, RegisterReading
from fairwatt.drivers.dlt645 import (
    BadRequest,
    MeterRefused,
    NoMac,
    UnreadableValue,
    change_password,
    change_speed,
    clear_demand,
    clear_events,
    clear_meter,
    read_energy,
    read_item,
    write_address,
    write_item,
)
from fairwatt.drivers.dlt645.codec import encode_bcd
from fairwatt.drivers.dlt645.frame import build_frame, wire_address
from fairwatt.drivers.dlt645.prepaid import Encoding, MeterWallet, prepaid_items
from fairwatt.drivers.dlt645.topup import Macs, OrderForm, TopUp, TopUpDialect, top_up
from fairwatt.drivers.profile import load_profile
from fairwatt.drivers.registry import open_meter
from fairwatt.simulate.meters import Dlt645Bus, SimMeter, SimWallet

NOON_US = 1_785_556_800_000_000
NUMBER, NEIGHBOUR = "202611210001", "202611210002"
KEYS = {"password": "02123456", "operator": "00000007"}
CUSTOMER = "000000123456"


def line(*meters: SimMeter) -> Dlt645Bus:
    return Dlt645Bus(meters=meters, now=lambda: NOON_US)


# --- writes -------------------------------------------------------------------------------------------------


def test_a_parameter_is_written_read_back_and_counted() -> None:
    bus = line(meter := SimMeter(number=NUMBER))
    written = write_item(address=NUMBER, identifier=0x04000103, value=b"\x15", **KEYS)
    assert say(bus, written) == Accepted()
    assert say(bus, read_item(address=NUMBER, identifier=0x04000103, parse=bytes)) == b"\x15"
    assert meter.events.count(MeterEventKind.PROGRAMMED) == 1


@pytest.mark.parametrize(
    ("identifier", "value", "keys", "reasons"),
    [
        (0x04000103, b"\x15", KEYS | {"password": "02999999"}, ("password",)),
        (0x04000401, bytes(6), KEYS, ("no_data",)),
        (0x00010000, bytes(4), KEYS, ("no_data",)),
        (0x04000103, b"\x15\x00", KEYS, ("other",)),
        (0x04000101, bytes.fromhex("05010826"), KEYS, ("other",)),  # 2026-08-01 is a Saturday
    ],
)
def test_a_meter_refuses_what_it_must(
    identifier: int, value: bytes, keys: Any, reasons: tuple[str, ...]
) -> None:
    bus = line(meter := SimMeter(number=NUMBER, register_wh=1_000))
    with pytest.raises(MeterRefused) as refused:
        say(bus, write_item(address=NUMBER, identifier=identifier, value=value, **keys))
    assert refused.value.reasons == reasons
    assert (meter.register_wh, meter.parameters, meter.clock_offset_us) == (1_000, {}, 0)


EVERYONE = ["A" * 12, "9" * 12, "AA2611210001"]


@pytest.mark.parametrize("address", EVERYONE)
def test_nothing_with_a_password_is_sent_to_more_than_one_meter(address: str) -> None:
    for order in (
        lambda: write_item(address=address, identifier=0x04000103, value=b"\x15", **KEYS),
        lambda: write_address(address=address, new=NEIGHBOUR),
        lambda: write_address(new=address, alone_on_line=True),
        lambda: change_speed(address=address, baud=9600),
        lambda: change_password(address=address, identifier=0x04000C03, old="02123456", new="02654321"),
        lambda: clear_demand(address=address, **KEYS),
        lambda: clear_meter(address=address, **KEYS),
        lambda: clear_events(address=address, **KEYS),
        lambda: top_up(address=address, purchase=purchase(), dialect=TopUpDialect(macs=Macs.ZERO)),
    ):
        with pytest.raises(BadRequest):
            order()


def test_a_meter_takes_a_new_address_only_while_its_button_is_held() -> None:
    bus = line(meter := SimMeter(number=NUMBER, register_wh=50), SimMeter(number="7"))
    with pytest.raises(Exception, match="did not answer"):
        say(bus, write_address(address=NUMBER, new=NEIGHBOUR))
    meter.button_held = True
    assert say(bus, write_address(new=NEIGHBOUR, alone_on_line=True)) == Accepted()
    assert say(bus, read_energy(address=NEIGHBOUR)) == RegisterReading(50)
    with pytest.raises(BadRequest, match="alone_on_line"):
        write_address(new=NEIGHBOUR)


def test_speed_and_password_change_when_the_meter_repeats_them() -> None:
    bus = line(meter := SimMeter(number=NUMBER))
    assert say(bus, change_speed(address=NUMBER, baud=9_600)) == Accepted()
    assert meter.baud == 9_600
    change = change_password(address=NUMBER, identifier=0x04000C03, old="02123456", new="02654321")
    assert say(bus, change) == Accepted()
    assert meter.password == "02654321"
    with pytest.raises(MeterRefused):
        say(bus, change_password(address=NUMBER, identifier=0x04000C03, old="02123456", new="02654321"))
    with pytest.raises(BadRequest, match="bit/s"):
        change_speed(address=NUMBER, baud=300)
    with pytest.raises(UnreadableValue):
        answer = build_frame(address=wire_address(number=NUMBER), control=0x97, data=b"\x40")
        change_speed(address=NUMBER, baud=9_600).feed(answer)


def test_clearing_is_counted_by_the_meter() -> None:
    bus = line(meter := SimMeter(number=NUMBER, register_wh=50_000))
    assert say(bus, clear_demand(address=NUMBER, **KEYS)) == Accepted()
    assert say(bus, clear_meter(address=NUMBER, **KEYS)) == Accepted()
    assert meter.register_wh == 0
    driver: Any = open_meter(
        profile=load_profile(key="dlt645_single_phase"), address=NUMBER, zone="Asia/Shanghai", **KEYS
    )
    cleared = MeterEventKind.METER_CLEARED
    assert say(bus, driver.read_event_count(kind=cleared)) == EventCount(cleared, 1)
    assert say(bus, driver.read_event_record(kind=cleared)).begun_us == NOON_US
    assert say(bus, clear_events(address=NUMBER, **KEYS)) == Accepted()
    assert say(bus, driver.read_event_count(kind=cleared)) == EventCount(cleared, 0)
    with pytest.raises(BadRequest, match="ends in FF"):
        clear_events(address=NUMBER, identifier=0x03300D01, **KEYS)


# --- the meter's own wallet ---------------------------------------------------------------------------------


def purchase(*, count: int = 1, cents: int = 10_050, **more: Any) -> TopUp:
    return TopUp(amount_micro=cents * 10_000, purchase=count, customer=CUSTOMER, operator="00000007", **more)


def mac(*, number: str, message: bytes) -> bytes:
    return bytes([sum(message) & 0xFF, len(message), int(number[-2:]), 0x5A])


def sold(wallet: SimWallet) -> tuple[Dlt645Bus, Any]:
    profile = load_profile(key="dlt645_vendor_prepaid")
    driver = open_meter(profile=profile, address=NUMBER, zone="Asia/Shanghai", **KEYS)
    return line(SimMeter(number=NUMBER, wallet=wallet)), driver


def vendors(**more: Any) -> SimWallet:
    """A wallet in the dialect of the example profile."""
    settings = load_profile(key="dlt645_vendor_prepaid").settings["prepaid"]
    return SimWallet(customer=CUSTOMER, items=prepaid_items(table=settings["items"]), **more)


def test_a_meters_own_wallet_is_read_in_its_vendors_words() -> None:
    bus, driver = sold(vendors(remaining_micro=12_340_000, purchases=3, purchased_micro=2**31 * 10_000))
    assert say(bus, driver.read_meter_wallet()) == MeterWallet(
        remaining_micro=12_340_000,
        overdraft_micro=0,
        alarm_1_micro=10_000_000,
        alarm_2_micro=5_000_000,
        overdraft_limit_micro=0,
        hoarding_limit_micro=9_999_990_000,
        close_permit_micro=0,
        purchases=3,
        purchased_micro=2**31 * 10_000,
    )


def test_a_top_up_is_credited_once_with_the_codes_of_the_meters_keys() -> None:
    wallet = vendors(is_mac=lambda message, code: code == mac(number=NUMBER, message=message))
    bus, driver = sold(wallet)
    assert say(bus, driver.top_up(purchase=purchase(), make_mac=mac)) == Accepted()
    assert (wallet.remaining_micro, wallet.purchases) == (100_500_000, 1)
    with pytest.raises(MeterRefused) as again:
        say(bus, driver.top_up(purchase=purchase(), make_mac=mac))
    assert again.value.reasons == ("repeated",)
    assert wallet.remaining_micro == 100_500_000


@pytest.mark.parametrize(
    ("bought", "reasons"),
    [
        (purchase(count=3), ("purchase_count",)),
        (purchase(cents=99_999_900), ("hoarding",)),
        (TopUp(amount_micro=10_000, purchase=1, customer="000000999999", operator="00000007"), ("customer",)),
    ],
)
def test_a_refused_top_up_says_why_and_credits_nothing(bought: TopUp, reasons: tuple[str, ...]) -> None:
    wallet = vendors(remaining_micro=20_000)
    bus, driver = sold(wallet)
    with pytest.raises(MeterRefused) as refused:
        say(bus, driver.top_up(purchase=bought, make_mac=mac))
    assert refused.value.reasons == reasons
    assert wallet.remaining_micro == 20_000


def test_a_wrong_code_and_a_meter_without_a_wallet_refuse() -> None:
    bus, driver = sold(vendors(is_mac=lambda _message, _code: False))
    with pytest.raises(MeterRefused, match="security chip"):
        say(bus, driver.top_up(purchase=purchase(), make_mac=mac))
    with pytest.raises(MeterRefused):
        say(line(SimMeter(number=NUMBER)), driver.top_up(purchase=purchase(), make_mac=mac))


def test_without_codes_nothing_is_sent_unless_the_vendor_does_not_look_at_them() -> None:
    _, driver = sold(vendors())
    with pytest.raises(NoMac, match="no credit moved"):
        driver.top_up(purchase=purchase())
    bare = TopUpDialect(macs=Macs.ZERO)
    assert bytes(4) in purchase().encode(number=NUMBER, dialect=bare, make_mac=None)
    with pytest.raises(BadRequest, match="4 bytes"):
        purchase().encode(number=NUMBER, dialect=TopUpDialect(), make_mac=lambda *, number, message: b"12")


@pytest.mark.parametrize("encoding", list(Encoding))
@pytest.mark.parametrize("cents", [1, 10_050, 99_999_999])
def test_both_spellings_of_an_amount_come_back_as_they_went(encoding: Encoding, cents: int) -> None:
    dialect = TopUpDialect(encoding=encoding, macs=Macs.ZERO)
    bought = purchase(cents=cents, opens_account=True)
    data = bought.encode(number=NUMBER, dialect=dialect, make_mac=None)
    assert TopUp.decode(data, dialect=dialect) == (bought, bytes(4), bytes(4))
    amount = encode_bcd(cents, size=4) if encoding is Encoding.BCD else cents.to_bytes(4, "little")
    assert data[8:12] == amount


@pytest.mark.parametrize(
    "wrong",
    [
        {"amount_micro": 15_000},
        {"amount_micro": 0},
        {"purchase": 0},
        {"customer": "12"},
        {"operator": "x"},
    ],
)
def test_a_top_up_that_no_meter_can_hold_is_not_made(wrong: dict[str, Any]) -> None:
    fields = {"amount_micro": 10_000, "purchase": 1, "customer": CUSTOMER, "operator": "00000007"} | wrong
    with pytest.raises(BadRequest):
        TopUp(**fields).encode(number=NUMBER, dialect=TopUpDialect(macs=Macs.ZERO), make_mac=None)


def test_a_vendors_order_number_of_sixteen_digits_is_credited_once() -> None:
    """Length 34 and codes of zero, as one vendor's own builder makes it."""
    dialect = TopUpDialect(macs=Macs.ZERO, order=OrderForm.DIGITS_16)
    bought = TopUp(
        amount_micro=100_000_000, purchase=1_240_826_202_124_138, customer="260305510012", operator="11223344"
    )
    wallet = SimWallet(customer="260305510012", dialect=dialect)
    bus = line(SimMeter(number="260305510012", wallet=wallet))
    order = top_up(address="260305510012", purchase=bought, dialect=dialect)
    assert order.request().hex() == (
        "fefefefe681200510503266803223235343a77665544435a33336b74453595b5734533333333453384383659333333338a16"
    )
    assert say(bus, order) == Accepted()
    assert wallet.remaining_micro == 100_000_000
    with pytest.raises(MeterRefused) as again:
        say(bus, top_up(address="260305510012", purchase=bought, dialect=dialect))
    assert again.value.reasons == ("repeated",)
