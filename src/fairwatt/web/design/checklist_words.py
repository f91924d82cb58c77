"""A meter's checklist in the words of the technician: what each step is, how it is done, and what was found."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from fairwatt.core.metering.checklist import Record, Step
from fairwatt.core.units import Unit
from fairwatt.web.design import format as text
from fairwatt.web.design.words import Words

STEPS: Words = {
    Step.SCANNED: _("Answers on its bus"),
    Step.MAPPED: _("Belongs to this room"),
    Step.RATIO: _("Transformer ratio read"),
    Step.PULSE: _("Proven by a known load"),
    Step.OPENING: _("Opening reading with photo"),
    Step.CERTIFICATE: _("Certificate noted"),
    Step.SEAL: _("Sealed"),
    Step.SIGNED: _("Signed off"),
}
HOW: Words = {
    Step.SCANNED: _("The address that fairwatt edge scan found. Compare it with the plate."),
    Step.MAPPED: _("The room that this meter feeds, as written at the cabinet."),
    Step.RATIO: _("What is printed on the current transformers. Without transformers: 1 and 1."),
    Step.PULSE: _(
        "Switch a kettle in the room while fairwatt edge pulse watches. Only this meter may see it."
    ),
    Step.OPENING: _(
        "Type the register as it is shown, with its decimals, and photograph it with the meter's number."
    ),
    Step.CERTIFICATE: _("The number on the verification mark or certificate."),
    Step.SEAL: _("The number of the seal you put on, and anything the next person should know."),
    Step.SIGNED: _("Your name stands for all of it."),
}
STATES: Words = {
    "done": _("done"),
    "missing": _("to do"),
    "failed": _("not in order"),
    "stale": _("changed since"),
}


def step_name(step: str) -> str:
    """A step in two or three words."""
    return str(STEPS.get(step, step))


def how_to(step: str) -> str:
    """What to do for it."""
    return str(HOW.get(step, ""))


def state_name(state: str) -> str:
    """How it stands."""
    return str(STATES.get(state, state))


def found(*, record: Record, unit: Unit) -> str:
    """What was found at a step, as a sentence."""
    value = record.value
    match record.step:
        case Step.SCANNED if value.get("answered"):
            return gettext("It answers at address %(address)s.") % value
        case Step.SCANNED:
            return gettext("It does not answer cleanly at address %(address)s.") % value
        case Step.MAPPED:
            return gettext("It feeds %(unit)s.") % value
        case Step.RATIO if "charged" in value:
            return (
                gettext(
                    "%(primary)d:%(secondary)d is printed on the transformers, but the home is charged by %(charged)s. "
                    "One of them is wrong: read the plate again, or open a new installation with the right ratio."
                )
                % value
            )
        case Step.RATIO if value.get("primary") == value.get("secondary"):
            return gettext("No transformers: it measures the wires themselves.")
        case Step.RATIO:
            return gettext("Transformers of %(primary)d:%(secondary)d.") % value
        case Step.PULSE:
            return _pulse(value)
        case Step.OPENING:
            return _opening(value, unit)
        case Step.CERTIFICATE:
            return gettext("Certificate %(number)s.") % value
        case Step.SEAL:
            return gettext("Seal %(seal)s.") % value
        case _:
            return ""


def _pulse(value: Mapping[str, Any]) -> str:
    watts = value["watts"]
    if value.get("verdict") == "proven" and "confidence_per_mille" in value:
        sure = value["confidence_per_mille"]
        return gettext("Only it saw the load of %(watts)d W (%(sure)s %% sure).") % {
            "watts": watts,
            "sure": f"{sure // 10}.{sure % 10}",
        }
    if value.get("verdict") == "proven":
        return gettext("Only it saw the load of %(watts)d W.") % {"watts": watts}
    told = gettext("The load of %(watts)d W did not prove it. Do the test again, or look at the wiring.")
    return told % {"watts": watts}


def _opening(value: Mapping[str, Any], unit: Unit) -> str:
    read = text.exact_used(wh=value["register_wh"], unit=unit)
    if value.get("reported_wh") is None:
        return gettext(
            "%(read)s was read. The meter has reported nothing yet, so nothing could be compared."
        ) % {"read": read}
    said = {
        "read": read,
        "reported": text.exact_used(wh=value["reported_wh"], unit=unit),
        "difference": text.exact_used(wh=abs(value["difference_wh"]), unit=unit),
    }
    if value["difference_wh"] == 0:
        return gettext("%(read)s was read, and the meter reported the same.") % said
    return gettext("%(read)s was read, the meter reported %(reported)s: %(difference)s apart.") % said


def still_missing(steps: Any) -> str:
    """What a home still lacks, for the overview."""
    names = [step_name(step) for step in steps]
    return ngettext("%(n)d step left: %(steps)s", "%(n)d steps left: %(steps)s", len(names)) % {
        "n": len(names),
        "steps": gettext(", ").join(names),
    }
