"""The closed list of meter protocols. A new protocol is one folder and one line here.

A protocol's code is imported when the first meter of it is opened: a gateway carries what its meters speak.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any, Final

from .contract import HearsMessages, ReadsRegister
from .profile import MeterProfile, ProfileError

PROTOCOLS: Final = {
    "dlt645-2007": "dlt645.meter:dlt645_meter",
    "modbus-rtu": "modbus.meter:open_modbus",
    "modbus-tcp": "modbus.meter:open_modbus",
    "cjt188": "cjt188.meter:open_cjt188",
    "mbus": "mbus.meter:MbusMeter",
    "pulse": "pulse.meter:PulseMeter",
}
"""Meters that are asked: protocol -> where its meter is made."""

LISTENERS: Final = {
    "chirpstack": "lorawan.meter:open_chirpstack",
    "mqtt-meter": "mqttmeter.meter:open_mqtt_meter",
}
"""Meters that speak by themselves: protocol -> where what they say is understood."""


def open_meter(
    *, profile: MeterProfile, address: str, zone: str, password: str = "", operator: str = ""
) -> ReadsRegister:
    """Return a meter of this model at this address, ready to be asked.

    What else it can do is a question of type: `isinstance(meter, SwitchesRelay)`. Raises `ProfileError`
    when no driver speaks the profile's protocol.
    """
    make = _maker(PROTOCOLS, profile)
    meter: ReadsRegister = make(
        profile=profile, address=address, zone=zone, password=password, operator=operator
    )
    return meter


def open_listener(*, profile: MeterProfile, address: str) -> HearsMessages:
    """Return what understands the messages of this meter and words its orders. Raises `ProfileError`."""
    listener: HearsMessages = _maker(LISTENERS, profile)(profile=profile, address=address)
    return listener


def _maker(known: dict[str, str], profile: MeterProfile) -> Any:
    if profile.protocol not in known:
        raise ProfileError(
            f"No driver speaks {profile.protocol!r} this way, which profile {profile.key!r} asks for. "
            f"Known: {', '.join(known)}."
        )
    module, _, name = known[profile.protocol].partition(":")
    return getattr(import_module(f"{__package__}.{module}"), name)
