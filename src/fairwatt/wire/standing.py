"""What else a meter or a gateway is to be like, besides its supply: limits, clock, prices shown, keys, settings.

Each kind is a slot of desired state of its own: a newer number of the same meter and kind replaces the older ones,
and no slot waits for another. What proves one is never the receipt but what the meter or gateway reports after it.
"""

from collections.abc import Mapping
from enum import IntEnum
from hashlib import sha256
from typing import Final, NamedTuple

from fairwatt.core.alarms.model import AlarmError
from fairwatt.core.alarms.policy import AlarmPolicy, policy_from_obj, policy_to_obj
from fairwatt.wire import cbor
from fairwatt.wire.errors import BadShape

GATEWAY: Final = 0
"""Meter number of what is said to the gateway itself; its body then names the gateway."""
PRICES_MAX: Final = 16
SETTINGS: Final[Mapping[str, tuple[int, int]]] = {
    "interval_s": (5, 3600),
    "voltage_every": (1, 1000),
    "link_timeout_s": (60, 86_400),
    "relay_order_valid_s": (30, 3600),
}
"""What may be set from afar, and between which bounds; everything else stays in the gateway's own file."""


class Slot(IntEnum):
    """The kinds of commands beside SET_SUPPLY, which is 1."""

    LIMIT_POWER = 2
    SET_CLOCK = 3
    SHOW_PRICES = 4
    TRUST_ISSUER = 5
    CONFIGURE = 6
    WATCH = 7


GATEWAY_SLOTS: Final = (Slot.TRUST_ISSUER, Slot.CONFIGURE)


class LimitPower(NamedTuple):
    """The power in watts above which the meter cuts by itself; None: no limit."""

    limit_w: int | None


class SetClock(NamedTuple):
    """The meter's clock is to be right to within so many seconds."""

    within_s: int


class ShowPrices(NamedTuple):
    """Prices for the meter's display, in micro-units per kWh; ``version`` is the tariff's."""

    version: int
    prices: tuple[tuple[str, int], ...]


class TrustIssuer(NamedTuple):
    """Obey this key too, from now on; ``retire`` names one no longer to be obeyed. Signed by a key obeyed already."""

    gateway: str
    kid: bytes
    public: bytes
    retire: bytes | None


class Configure(NamedTuple):
    """Settings of the gateway by name, all of them that differ from its own file."""

    gateway: str
    settings: tuple[tuple[str, int], ...]


class Watch(NamedTuple):
    """What a meter is watched for, in its own watts and amperes; its feeder, and whether its gateway lives on it."""

    policy: AlarmPolicy
    feeder: str
    feeds_gateway: bool


type Standing = LimitPower | SetClock | ShowPrices | TrustIssuer | Configure | Watch
type Reported = Mapping[str, object]


def body_to_obj(body: Standing, /) -> list[object]:
    """The plain form of a body."""
    match body:
        case ShowPrices(version, prices):
            return [version, [list(pair) for pair in prices]]
        case Configure(gateway, settings):
            return [gateway, dict(settings)]
        case Watch(policy, feeder, feeds_gateway):
            return [policy_to_obj(policy), feeder, feeds_gateway]
        case _:
            return list(body)


def body_from_obj(*, kind: int, meter: int, value: object) -> Standing:
    """Read the plain form of a body; every field is checked. Raises BadShape."""
    try:
        slot = Slot(kind)
    except ValueError:
        raise BadShape("the command has an unknown kind") from None
    if (meter == GATEWAY) != (slot in GATEWAY_SLOTS):
        raise BadShape("the command is for a gateway where it should be for a meter, or the reverse")
    match slot:
        case Slot.LIMIT_POWER:
            (limit,) = cbor.array(value, length=1, what="the power limit")
            return LimitPower(
                None if limit is None else cbor.integer(limit, what="limit_w", low=1, high=10_000_000)
            )
        case Slot.SET_CLOCK:
            (within,) = cbor.array(value, length=1, what="the wish for a clock")
            return SetClock(cbor.integer(within, what="within_s", low=1, high=3600))
        case Slot.SHOW_PRICES:
            return _prices(value)
        case Slot.TRUST_ISSUER:
            gateway, kid, public, retire = cbor.array(value, length=4, what="the new issuer")
            return TrustIssuer(
                cbor.text(gateway, what="gateway", max_chars=64),
                _kid(kid),
                cbor.octets(public, what="the public key", length=32),
                None if retire is None else _kid(retire),
            )
        case Slot.CONFIGURE:
            return _settings(value)
        case Slot.WATCH:
            return _watch(value)


def _kid(value: object) -> bytes:
    kid = cbor.octets(value, what="a key's id")
    if not 1 <= len(kid) <= 16:
        raise BadShape("a key's id has 1 to 16 bytes")
    return kid


def _prices(value: object) -> ShowPrices:
    version, raw = cbor.array(value, length=2, what="the prices to show")
    if type(raw) is not list or not 1 <= len(raw) <= PRICES_MAX:
        raise BadShape(f"the prices to show are not a list of 1 to {PRICES_MAX}")
    prices = []
    for pair in raw:
        name, micro = cbor.array(pair, length=2, what="a price to show")
        prices.append(
            (
                cbor.text(name, what="the name of a price", max_chars=40),
                cbor.integer(micro, what="a price", high=10**12),
            )
        )
    return ShowPrices(cbor.integer(version, what="version"), tuple(prices))


def _settings(value: object) -> Configure:
    gateway, raw = cbor.array(value, length=2, what="the settings")
    if type(raw) is not dict or not set(raw) <= set(SETTINGS):
        raise BadShape(f"the settings are not a map of {', '.join(SETTINGS)}")
    settings = []
    for name in sorted(raw):
        low, high = SETTINGS[name]
        settings.append((name, cbor.integer(raw[name], what=name, low=low, high=high)))
    return Configure(cbor.text(gateway, what="gateway", max_chars=64), tuple(settings))


def _watch(value: object) -> Watch:
    policy, feeder, feeds_gateway = cbor.array(value, length=3, what="what a meter is watched for")
    if type(feeds_gateway) is not bool:
        raise BadShape("whether a meter feeds its gateway is true or false")
    try:
        return Watch(policy_from_obj(policy), cbor.text(feeder, what="feeder", max_chars=40), feeds_gateway)
    except AlarmError as error:
        raise BadShape(str(error)) from error


def watch_digest(watch: Watch, /) -> str:
    """How what a meter is watched for is compared, without telling all of it."""
    return sha256(cbor.encode(body_to_obj(watch))).hexdigest()[:16]


def prices_digest(prices: tuple[tuple[str, int], ...], /) -> str:
    """How shown prices are compared without their names, which meters do not keep."""
    return sha256(cbor.encode([micro for _, micro in prices])).hexdigest()[:16]


def shows(*, body: Standing, reported: Reported) -> bool:
    """Say whether what was reported is what was wished: the proof of a command."""
    match body:
        case LimitPower(limit):
            left = reported.get("left_w")
            if type(left) is int and (limit is None or left < limit):
                limit = left  # what credit leaves is less: the meter shows that until there is more
            return "limit_w" in reported and reported["limit_w"] == limit
        case SetClock(within):
            offset = reported.get("offset_s")
            return type(offset) is int and abs(offset) <= within
        case ShowPrices(_, prices):
            return reported.get("prices") == prices_digest(prices)
        case TrustIssuer(_, kid, _, retire):
            kids = str(reported.get("kids", "")).split(",")
            return kid.hex() in kids and (retire is None or retire.hex() not in kids)
        case Configure(_, settings):
            return all(reported.get(name) == number for name, number in settings)
        case Watch():
            return reported.get("watch") == watch_digest(body)
