"""Wishes for meters and gateways, in the words of the desk."""

from __future__ import annotations

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from fairwatt.web.design.words import Words

WISHES: Words = {
    "supply": _("Supply"),
    "limit_power": _("Power limit"),
    "set_clock": _("Clock"),
    "show_prices": _("Prices shown"),
    "trust_issuer": _("Signing key"),
    "configure": _("Gateway settings"),
    "watch": _("Alarms"),
}
PUSH_STATES: Words = {
    "running": _("under way"),
    "paused": _("paused"),
    "held": _("held: the first ones failed"),
    "asking": _("waits for a second person"),
    "stopped": _("stopped"),
    "done": _("done"),
}
ORDER_STATES: Words = {
    "queued": _("on its way"),
    "accepted": _("taken, not yet proven"),
    "proven": _("proven"),
    "failed": _("failed"),
    "expired": _("expired"),
    "superseded": _("replaced by a newer one"),
}


def wish_kind(kind: str) -> str:
    """What kind of thing is wished of a meter."""
    return str(WISHES.get(kind, kind))


def push_state(state: str) -> str:
    """Where a wish for many stands."""
    return str(PUSH_STATES.get(state, state))


def order_state(state: str) -> str:
    """Where one order stands."""
    return str(ORDER_STATES.get(state, state))


def relay_order(relay: int) -> str:
    """What an order wants of the relay."""
    return (gettext("power off"), gettext("power on"), gettext("credit renewed"))[relay]


def wish(*, kind: str, wish: dict[str, object]) -> str:
    """A wish in a few words."""
    match kind:
        case "limit_power":
            limit = wish.get("limit_w")
            return gettext("no limit") if limit is None else f"{limit} W"
        case "set_clock":
            return f"± {wish.get('within_s')} s"
        case "watch":
            return gettext("as set in version %(n)s") % {"n": wish.get("setting")}
        case "supply":
            return gettext("power off") if wish.get("relay") == "open" else gettext("power on")
        case _:
            return ", ".join(f"{name} {value}" for name, value in wish.items())


def reported(*, kind: str, reported: dict[str, object] | None) -> str:
    """What a meter or gateway said of itself, in a few words."""
    if reported is None:
        return "–"
    if kind == "limit_power":
        return wish(kind=kind, wish=reported)
    if kind == "set_clock":
        return f"{reported.get('offset_s')} s"
    return ", ".join(f"{name} {value}" for name, value in reported.items() if name not in ("kind", "seq"))
