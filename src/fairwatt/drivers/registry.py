"""The closed list of meter protocols. A new protocol is one folder and one line here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from .contract import ReadsRegister
from .dlt645.meter import dlt645_meter
from .profile import MeterProfile, ProfileError

PROTOCOLS: Final[dict[str, Callable[..., ReadsRegister]]] = {
    "dlt645-2007": dlt645_meter,
}


def open_meter(
    *, profile: MeterProfile, address: str, zone: str, password: str = "", operator: str = ""
) -> ReadsRegister:
    """Return a meter of this model at this address, ready to be asked.

    What else it can do is a question of type: `isinstance(meter, SwitchesRelay)`. Raises `ProfileError`
    when no driver speaks the profile's protocol.
    """
    if profile.protocol not in PROTOCOLS:
        raise ProfileError(
            f"No driver speaks {profile.protocol!r}, which profile {profile.key!r} asks for. "
            f"Known: {', '.join(PROTOCOLS)}."
        )
    make = PROTOCOLS[profile.protocol]
    return make(profile=profile, address=address, zone=zone, password=password, operator=operator)
