"""Alarms of meters as words: what it is, and the next step for the people who look after the building."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from fairwatt.core.alarms.model import AlarmCode
from fairwatt.web.design import format as text

Words = tuple[str | Promise, str | Promise]

ALARMS: Final[Mapping[AlarmCode, Words]] = {
    AlarmCode.OVERLOAD: (
        _("Overload"),
        _(
            "Ask the resident to switch something off; for a home that needs more, have the connection strengthened."
        ),
    ),
    AlarmCode.SURGE: (_("Sudden jump of power"), _("Look at the home's wiring if it repeats.")),
    AlarmCode.PHASE_UNBALANCE: (
        _("Phases out of balance"),
        _("Have an electrician spread the circuits over the phases."),
    ),
    AlarmCode.OVERVOLTAGE: (
        _("Voltage too high"),
        _(
            "If neighbours have it too, call the network operator; if not, check this home's neutral terminal."
        ),
    ),
    AlarmCode.UNDERVOLTAGE: (_("Voltage too low"), _("Call the network operator.")),
    AlarmCode.NEUTRAL_MISMATCH: (
        _("Phase and neutral differ"),
        _("Look for a neutral taken from a neighbour, or a wire around the meter."),
    ),
    AlarmCode.SUSPECT_LOAD: (
        _("Heater where none is allowed"),
        _("Talk to the resident; a kettle is one too."),
    ),
    AlarmCode.COVER_OPEN: (
        _("Meter opened"),
        _("If nobody of yours was there, inspect seals and wiring and take a photo."),
    ),
    AlarmCode.TERMINAL_COVER_OPEN: (
        _("Terminal cover opened"),
        _("If nobody of yours was there, inspect the terminals and take a photo."),
    ),
    AlarmCode.MAGNETIC_FIELD: (
        _("Magnet at the meter"),
        _("Inspect the meter; its relay may have been moved."),
    ),
    AlarmCode.REVERSE_FLOW: (
        _("Energy flows backward"),
        _("Check the wiring of the meter, and whether solar panels were added."),
    ),
    AlarmCode.USE_WHILE_OPEN: (
        _("Use although switched off"),
        _("Go there: welded contacts, or a wire around the switch. The use is charged as always."),
    ),
    AlarmCode.TERMINAL_TEMPERATURE: (
        _("Hot terminal"),
        _("Go now and tighten the terminal, with the feed switched off."),
    ),
    AlarmCode.RESIDUAL_CURRENT: (_("Leakage current"), _("Have an electrician find the leak.")),
    AlarmCode.HARMONICS: (
        _("Distorted current"),
        _("Find the converter that makes it, if neutrals run warm."),
    ),
    AlarmCode.LEAK: (
        _("Leak"),
        _("Call the resident now; shut the stopcock if nobody is there. What flows is charged as always."),
    ),
    AlarmCode.LOW_BATTERY: (
        _("Battery of the meter is low"),
        _("Plan an exchange within weeks; until then it counts as always."),
    ),
    AlarmCode.VALVE_FAULT: (
        _("Valve does not move"),
        _("Go there: supply may be on or off against the order."),
    ),
    AlarmCode.METER_FAULT: (
        _("Meter reports a fault of its own"),
        _("Compare its register with the eye, and exchange it if they differ."),
    ),
}
SEVERITIES: Final[Mapping[str, str | Promise]] = {
    "danger": _("danger"),
    "warning": _("warning"),
    "notice": _("notice"),
}
_UNITS: Final = {"_w": ("W", 0), "_ma": ("A", 3), "_dv": ("V", 1), "_dc": ("°C", 1), "_pm": ("%", 1)}
"""suffix -> (unit, how many of its digits are behind the point)"""


def title(code: str) -> str:
    """What an alarm is, in a few words; an unknown code as it is."""
    known = ALARMS.get(AlarmCode(code)) if code in set(AlarmCode) else None
    return str(known[0]) if known else code.replace("_", " ")


def step(code: str) -> str:
    """The next step."""
    known = ALARMS.get(AlarmCode(code)) if code in set(AlarmCode) else None
    return str(known[1]) if known else gettext("Look at the meter.")


def severity(word: str) -> str:
    """How grave, in one word."""
    return str(SEVERITIES.get(word, word))


def measured(evidence: Mapping[str, Any]) -> str:
    """What was measured, with its unit and its limit: "5,000 W, limit 3,000 W"."""
    shown, limit = "", ""
    for name, value in sorted(evidence.items()):
        unit = next((suffix for suffix in _UNITS if name.endswith(suffix)), "")
        if not unit or type(value) is not int:
            continue
        amount = _amount(value, *_UNITS[unit])
        if name.startswith("limit_"):
            limit = gettext("limit %(amount)s") % {"amount": amount}
        elif not shown:
            shown = amount
    return gettext(", ").join(part for part in (shown, limit) if part)


def _amount(value: int, unit: str, places: int) -> str:
    if unit == "W":
        return text.watts(power_w=value) if value >= 0 else f"{text.MINUS}{text.watts(power_w=-value)}"
    whole, part = divmod(abs(value), 10**places)
    fraction = f"{part:0{places}d}"[:2].rstrip("0")
    return (text.MINUS if value < 0 else "") + f"{whole}{'.' + fraction if fraction else ''} {unit}"
