"""What a profile says about a DL/T 645 model, read and checked once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from fairwatt.drivers.contract import MeterEventKind
from fairwatt.drivers.profile import MeterProfile, ProfileError

from .codec import Item, Order
from .events import EventItem, event_items
from .measure import FREQUENCY, NEUTRAL_CURRENT, Measures
from .prepaid import PrepaidItem, prepaid_items
from .topup import TopUpDialect, topup_dialect

_CLOSE_ORDERS: Final = {"direct": Order.CLOSE, "permit": Order.PERMIT_CLOSE, "none": None}
_SETS_CLOCK: Final = ("write", "broadcast")
_EXTRAS: Final = {
    "neutral_current_ma": NEUTRAL_CURRENT,
    "frequency_chz": FREQUENCY,
    "terminal_temperature_dc": None,
    "residual_current_ma": None,
}


@dataclass(frozen=True, slots=True)
class LimitItem:
    """Where a model keeps the power above which it cuts by itself; `none` is the value that means no limit."""

    item: Item
    none: int


@dataclass(frozen=True, slots=True)
class Model:
    """One DL/T 645 model in the driver's terms."""

    energy: Item
    power: Item
    voltage: Item
    current: Item
    close: Order | None
    clock_set_by: str
    measures: Measures
    events: dict[MeterEventKind, EventItem]
    limit: LimitItem | None
    prepaid: tuple[PrepaidItem, ...]
    topup: TopUpDialect | None


def model_of(*, profile: MeterProfile) -> Model:
    """Read a profile. Raises `ProfileError`, naming the table that cannot be used."""
    settings = profile.settings
    prepaid = settings.get("prepaid", {})
    items = {name: _item(profile, name) for name in ("energy", "power", "voltage", "current")}
    return Model(
        **items,
        close=_choice(
            profile, "relay.close", settings.get("relay", {}).get("close", "direct"), _CLOSE_ORDERS
        ),
        clock_set_by=_choice(
            profile,
            "clock.set",
            settings.get("clock", {}).get("set", "write"),
            {one: one for one in _SETS_CLOCK},
        ),
        measures=_table(profile, "measurements", _measures, settings.get("measurements", {})),
        events=_table(profile, "events", lambda table: event_items(table=table), settings.get("events", {})),
        limit=_table(profile, "power_limit", _limit, settings["power_limit"])
        if "power_limit" in settings
        else None,
        prepaid=_table(
            profile, "prepaid.items", lambda table: prepaid_items(table=table), prepaid.get("items", {})
        ),
        topup=_table(profile, "prepaid.topup", lambda table: topup_dialect(table=table), prepaid["topup"])
        if "topup" in prepaid
        else None,
    )


def _choice[T](profile: MeterProfile, what: str, said: Any, known: dict[str, T]) -> T:
    if said not in known:
        raise ProfileError(f"Meter profile {profile.key!r}: {what} is {' or '.join(known)}; got {said!r}.")
    return known[said]


def _table[T](profile: MeterProfile, name: str, read: Callable[[dict[str, Any]], T], table: Any) -> T:
    try:
        return read(dict(table))
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise ProfileError(f"Meter profile {profile.key!r}: [{name}] cannot be used ({error!r}).") from error


def _measures(table: dict[str, Any]) -> Measures:
    known = {"phases", "by_blocks", "distortion", *_EXTRAS}
    if unknown := table.keys() - known:
        raise ValueError(f"unknown: {', '.join(sorted(unknown))}; known: {', '.join(sorted(known))}")
    return Measures(
        phases=int(table.get("phases", 1)),
        by_blocks=bool(table.get("by_blocks", False)),
        distortion=bool(table.get("distortion", False)),
        extras=tuple((name, _extra(name, table[name])) for name in _EXTRAS if name in table),
    )


def _extra(name: str, said: Any) -> Item:
    standard = _EXTRAS[name]
    if said == "standard" and standard is not None:
        return standard
    return item_of(name, said)


def _limit(table: dict[str, Any]) -> LimitItem:
    return LimitItem(item_of("power limit", table), none=int(table.get("none", 0)))


def _item(profile: MeterProfile, name: str) -> Item:
    try:
        return item_of(name, profile.settings["items"][name])
    except (KeyError, ValueError, TypeError) as error:
        raise ProfileError(
            f"Meter profile {profile.key!r}: item {name!r} needs an identifier of eight hexadecimal digits "
            f"and its number of bytes ({error!r})."
        ) from error


def item_of(name: str, row: dict[str, Any]) -> Item:
    """Read an item's table. Raises KeyError, ValueError or TypeError."""
    identifier = str(row["identifier"])
    if len(identifier) != 8:
        raise ValueError(identifier)
    return Item(
        name=name,
        identifier=int(identifier, 16),
        size=int(row["bytes"]),
        times=int(row.get("times", 1)),
        over=int(row.get("over", 1)),
        signed=bool(row.get("signed", False)),
    )
