"""A meter model is data: one TOML makes a meter that can be asked."""

import pytest

from fairwatt.drivers.contract import (
    ReadsCurrent,
    ReadsPower,
    ReadsRegister,
    ReadsVoltage,
    RegisterReading,
    SwitchesRelay,
    WarnsAtMeter,
)
from fairwatt.drivers.dlt645 import read_energy
from fairwatt.drivers.dlt645.frame import build_frame, wire_address
from fairwatt.drivers.profile import ProfileError, load_profile, parse_profile, profile_keys
from fairwatt.drivers.registry import open_meter

TEXT = """
title = "A meter that counts tariff 1 and wants its button pressed"
protocol = "dlt645-2007"
[register]
resolution_wh = 100
modulus_wh = 1_000_000_000
max_power_w = 10_000
[items]
energy = { identifier = "00010100", bytes = 4, times = 100 }
power = { identifier = "02030000", bytes = 3, over = 10, signed = true }
voltage = { identifier = "02010100", bytes = 2 }
current = { identifier = "02020100", bytes = 3, signed = true }
[relay]
close = "permit"
"""
SITE = {"address": "161", "zone": "Asia/Shanghai", "password": "02123456", "operator": "00000001"}


@pytest.mark.parametrize("key", [key for key in profile_keys() if key.startswith("dlt645")])
def test_every_profile_makes_a_meter_that_can_be_charged_and_switched(key: str) -> None:
    profile = load_profile(key=key)
    meter = open_meter(profile=profile, **SITE)

    for ability in (ReadsRegister, ReadsPower, ReadsVoltage, ReadsCurrent, SwitchesRelay, WarnsAtMeter):
        assert isinstance(meter, ability)
    assert profile.modulus_wh % profile.resolution_wh == 0


def test_the_standard_single_phase_meter_asks_as_the_standard_does() -> None:
    meter = open_meter(profile=load_profile(key="dlt645_single_phase"), **SITE)
    assert meter.read_register().request() == read_energy(address="161").request()


def test_a_models_own_register_is_asked_and_read_in_its_own_steps() -> None:
    meter = open_meter(profile=parse_profile(key="own", text=TEXT), **SITE)
    exchange = meter.read_register()
    assert bytes(b + 0x33 for b in bytes.fromhex("00010100")) in exchange.request()

    answer = build_frame(
        address=wire_address(number="161"), control=0x91, data=bytes.fromhex("00010100" + "03000000")
    )
    assert exchange.feed(answer) == RegisterReading(300)


def test_a_model_that_wants_its_button_pressed_is_only_permitted_to_close() -> None:
    meter = open_meter(profile=parse_profile(key="own", text=TEXT), **SITE)
    assert isinstance(meter, SwitchesRelay)

    order = meter.close_relay(valid_until_us=1_800_000_000_000_000).request()
    assert order[4 + 10 + 8] == 0x1B + 0x33


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('title = "', 'titel = "', "title"),
        ("[register]", "[registers]", "register"),
        ("resolution_wh = 100", "resolution_wh = 0", "above zero"),
        ("resolution_wh = 100", "resolution_wh = 7", "whole number of resolution_wh"),
        ("max_power_w = 10_000", "max_power_w = true", "above zero"),
        ("bytes = 4", "bites = 4", "energy"),
        ("00010100", "10100", "energy"),
        ('"permit"', '"perhaps"', "direct or permit"),
        ("dlt645-2007", "dlt645-1997", "No driver"),
        ("[items]", "[items", "TOML"),
    ],
)
def test_a_broken_profile_is_refused_with_the_line_to_mend(old: str, new: str, says: str) -> None:
    with pytest.raises(ProfileError, match=says):
        open_meter(profile=parse_profile(key="own", text=TEXT.replace(old, new, 1)), **SITE)


def test_an_unknown_model_is_answered_with_the_known_ones() -> None:
    with pytest.raises(ProfileError, match="dlt645_single_phase"):
        load_profile(key="dlt645_of_mars")
