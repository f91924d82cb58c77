"""What happened at meters by a person's hand while they were commissioned, as sentences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

METER_EVENTS: Final[Mapping[str, str | Promise]] = {
    "desk.commission_step": _("{home}: a step of the meter's checklist was written down"),
    "desk.meter_signed_off": _("{home}: the meter's checklist was signed off"),
    "desk.alarms_set": _("What alarms are set to was changed for a site, a feeder or a meter"),
    "desk.meter_wired": _("{home}: which feeder the meter is on, or what it feeds, was written down"),
    "desk.meters_entered": _("Meters were entered from a list; nobody is charged by them yet"),
    "gateway.restored": _("{home}: an emergency code or permit gave supply for some hours"),
    "gateway.restore_ended": _("{home}: the hours of an emergency code are over"),
    "gateway.restore_code_refused": _("{home}: somebody typed a wrong emergency code"),
    "gateway.token_taken": _("{home}: a payment was carried to its gateway by a token and counts there"),
    "gateway.token_refused": _("{home}: somebody typed a token that fits no meter of its gateway"),
    "gateway.cut_spared": _("{home}: a cut was not carried out, an emergency code is in force"),
    "gateway.relay_found_open": _(
        "{home}: the gateway lost its memory and found the power off; the meter says it was not the gateway"
    ),
}
