"""What entries of the quarantine mean to a person, and the next step."""

from __future__ import annotations

from collections.abc import Mapping

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from fairwatt.web.design import move_words

_GARBLED = (
    _("A message from the gateway could not be read. Nothing was charged, and the gateway keeps its totals."),
    _("Update the gateway's software; if it repeats, exchange the device."),
)
_UNSIGNED = (
    _("A receipt was not signed by the gateway it names. It was not believed."),
    _("Check who can reach the gateway, and commission its key again."),
)
QUARANTINE: Mapping[str, tuple[str | Promise, str | Promise]] = {
    "backward_register": (
        _("The register went backward. Nothing was charged for it."),
        _("Read the meter on site; if it was exchanged, record the exchange."),
    ),
    "impossible_register": (
        _("More energy than the connection can carry. Nothing was charged for it."),
        _("Check the meter's type and its register size, then read it on site."),
    ),
    "conflicting_reading": (
        _("Two different readings for one instant. The first one counts."),
        _("Look for two devices answering to one address."),
    ),
    "dead_meter": (
        _("The meter is silent and an approved estimate was charged. Nobody is cut on an estimate."),
        _("Repair or exchange the meter; its next total settles what was really used."),
    ),
    "unknown_meter": (
        _("No home is linked to this meter. Nobody was charged."),
        _("Link the meter to its home, or remove it from the gateway."),
    ),
    "no_tariff": (
        _("No price was in force at that time. Nothing was charged."),
        _("Publish a tariff version that covers the time."),
    ),
    "future_timestamp": (
        _("The reading comes from the future: the meter's clock is wrong. Nothing was charged."),
        _("Set the clock of the meter or its gateway."),
    ),
    "ancient_timestamp": (
        _("The reading is more than 400 days old. Nothing was charged."),
        _("Check the clock of the meter, or correct the account by hand."),
    ),
    "negative_register": (
        _("The register was below zero, which a meter cannot count. Nothing was charged."),
        _("Check the meter's type in its settings."),
    ),
    "bad_record": (
        _("A record could not be read. Nothing was charged for it."),
        _("Update the gateway's software."),
    ),
    "damaged": (
        _("A message was damaged on its way. It is sent again; nothing was charged for it."),
        _("Look at the gateway's line if this comes often."),
    ),
    "malformed_cbor": _GARBLED,
    "bad_shape": _GARBLED,
    "bad_version": _GARBLED,
    "too_large": _GARBLED,
    "receipt_bad_signature": _UNSIGNED,
    "receipt_unknown_key": _UNSIGNED,
    "receipt_unknown_meter": (
        _("A receipt names a meter that this gateway does not have. It was not believed."),
        _("Check how the gateway is wired and configured."),
    ),
    "old_spool": (
        _("The gateway sent records of an earlier life of its memory. Nothing was charged for them."),
        _("Nothing to do: the meters' totals carry on."),
    ),
    "unknown_gateway": (
        _("A gateway that is not in this book sent data. Nothing was charged."),
        _("Add the gateway to its site, or take away its login."),
    ),
    "foreign_clock": (
        _("The gateway's clock was off by more than two minutes. Its readings wait here."),
        _("The clock has been set by itself; look again if it comes back."),
    ),
    "nobodys_reading": move_words.NOBODYS,
    "before_installation": (
        _("The reading is older than the day the meter was put to work. Nobody was charged."),
        _("Nothing to do, unless the opening date is wrong."),
    ),
    "out_of_range_register": (
        _("The register shows more than this type of meter can count. Nothing was charged."),
        _("Check the meter's type in its settings."),
    ),
    "receipt_bad_shape": _GARBLED,
    "receipt_bad_version": _GARBLED,
    "receipt_malformed_cbor": _GARBLED,
    "receipt_too_large": _GARBLED,
    "unreadable": _GARBLED,
    "poison": (
        _("A message could not be worked on by the program itself. Nothing was charged for it."),
        _("Report it with the detail shown here; the rest of the book goes on."),
    ),
    "unpriceable": (
        _("The reading gives an amount that no price can be worked out for. Nothing was charged."),
        _("Compare the register with the meter itself."),
    ),
    "receipt_bad_key": _UNSIGNED,
    "receipt_unreadable": _GARBLED,
}
_UNKNOWN_QUARANTINE = (
    _("Data that cannot be right was set aside. Nothing was charged, supply stays on."),
    _("Read the detail and ask the maker of the device if it repeats."),
)


def quarantine(code: str) -> tuple[str, str]:
    """What an entry means, and the next step."""
    known = QUARANTINE.get(code) or QUARANTINE.get(code.removeprefix("receipt_"))
    meaning, step = known or _UNKNOWN_QUARANTINE
    return str(meaning), str(step)
