"""Booths, merchants and short lets, in the words of the desk."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

EVENTS: Final[Mapping[str, str | Promise]] = {
    "desk.let_planned": _("A unit was let: who, from when to when"),
    "desk.lets_planned": _("The lets of a file were written down"),
    "desk.let_cancelled": _("A let was taken back before it began"),
    "desk.let_end_changed": _("{home}: another end was agreed for a let"),
    "desk.circuit_marked": _("{home}: the desk noted what hangs on a meter"),
    "let.begun": _("{home}: a let began"),
    "let.ended": _("{home}: the contract is over; power goes off as the rules allow"),
    "warning.contract": _("{home}: told that the contract ends"),
}
REASONS: Final[Mapping[str, str | Promise]] = {
    "contract_ended": _("the contract is over"),
    "protected_circuit": _("a cold store or a fire system hangs on this meter"),
    "contract": _("the contract ends"),
}
STATES: Final[Mapping[str, str | Promise]] = {
    "planned": _("agreed"),
    "late": _("could not begin"),
    "missed": _("never began"),
    "running": _("running"),
    "told": _("told that it ends"),
    "still_on": _("over, power still on"),
    "over": _("over"),
    "cancelled": _("taken back"),
}
CIRCUITS: Final[Mapping[str, str | Promise]] = {
    "cold_store": _("cold store"),
    "fire": _("fire system"),
    "other": _("something else that must stay on"),
    "ordinary": _("nothing that must stay on"),
}
REFUSALS: Final[Mapping[str, str | Promise]] = {
    "occupied": _("somebody else has the unit"),
    "shared_home": _("no meter is at work there, or those of more than one account"),
    "not_authorised": _("who wrote it down may not do so any more"),
    "no_tariff": _("a meter there has no tariff in force"),
    "unknown_resident": _("one of its people may not sign in as a resident any more"),
    "unknown_policy": _("its credit policy is gone"),
    "still_on": _("a meter still has power"),
}
EMPTY_HOURS: Final = _("no trading hours")
