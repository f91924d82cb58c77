"""Why is it dark? Told from the last readings and events; where these leave a doubt, the answer is "unknown".

Pure, and the same at the gateway and in the cloud. The causes lie on the way from the street to the socket. Where
two hold at once, the one nearer the street is named: until it is gone, removing the other changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from fairwatt.core.alarms.model import AlarmCode, Evidence
from fairwatt.core.units import US_PER_DAY, US_PER_MINUTE


class Cause(StrEnum):
    """What keeps a home dark, from the street to the socket; ``UNKNOWN`` where the facts leave a doubt."""

    GRID = "grid"
    METER_FAULT = "meter_fault"
    SAFETY = "safety"
    OVERLOAD = "overload"
    OPERATOR = "operator"
    CREDIT = "credit"
    BREAKER = "breaker"
    UNKNOWN = "unknown"


CAUSES: Final = tuple(cause for cause in Cause if cause is not Cause.UNKNOWN)
"""In the order in which they have to be removed."""


class Sign(StrEnum):
    """What was heard of a meter, its gateway and its home, whoever says it."""

    POWER_FAIL = "power_fail"
    POWER_BACK = "power_back"
    ON_BATTERY = "on_battery"
    ON_MAINS = "on_mains"
    METER_SILENT = "meter_silent"
    METER_BACK = "meter_back"
    STAYS_OPEN = "stays_open"
    ALARM_RAISED = "alarm_raised"
    ALARM_CLEARED = "alarm_cleared"
    SAFETY_CUT = "safety_cut"
    SAFETY_RELEASED = "safety_released"
    OPERATOR_CUT = "operator_cut"
    OPERATOR_RESTORED = "operator_restored"
    CREDIT_CUT = "credit_cut"
    CREDIT_RESTORED = "credit_restored"


@dataclass(frozen=True, slots=True, order=True)
class Heard:
    """One sign at an instant; ``about`` is an alarm's code where it is about one."""

    at_us: int
    sign: Sign
    about: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DarkFacts:
    """What is known when somebody asks. ``None`` is "never heard".

    ``said_dark``: a person says that it is dark. ``relay_closed``, ``power_w`` and ``voltage_dv`` are of the newest
    reading, at ``read_us`` (``voltage_us``). ``closed_us`` is when the relay was last shown closed, ``used_us`` when
    energy last flowed. ``neighbours`` are the other meters on the same feeder and gateway.
    """

    now_us: int
    said_dark: bool
    read_us: int | None
    relay_closed: bool | None
    power_w: int | None
    voltage_dv: int | None
    voltage_us: int | None
    closed_us: int | None
    used_us: int | None
    gateway_us: int | None
    neighbours: int
    neighbours_silent: int
    heard: tuple[Heard, ...]


@dataclass(frozen=True, slots=True)
class Darkness:
    """The cause to be removed first, since when, all causes that hold, and what the answer rests on."""

    cause: Cause
    since_us: int | None = None
    also: tuple[Cause, ...] = ()
    evidence: Evidence = ()


FRESH_US: Final = 30 * US_PER_MINUTE
"""A reading older than this says nothing about now; the slowest gateway reads every 15 minutes."""
SETTLES_US: Final = 15 * US_PER_MINUTE
"""So long after a cut a relay may still be shown closed: the order was on its way, or tried again."""
DELIVERED_US: Final = 6 * 60 * US_PER_MINUTE
"""So long an order to cut may be on its way; a relay shown closed later than that was closed again."""
OUTAGE_DV: Final = 500
IDLE_W: Final = 5


def why_dark(*, facts: DarkFacts) -> Darkness:
    """Name the cause that has to be removed first, or say that it is unknown. Repeated and unordered signs are fine."""
    heard = _Heard(facts.heard, facts.now_us)
    known: list[tuple[Cause, int | None]] = []
    for cause, since in (
        (Cause.GRID, _grid(facts, heard)),
        (Cause.METER_FAULT, _meter_fault(facts, heard)),
        *_holders(facts, heard),
        (Cause.BREAKER, _breaker(facts)),
    ):
        if since is not None:
            known.append((cause, since))
    if not known or _in_doubt(facts, heard, known[0][0]):
        return Darkness(Cause.UNKNOWN, also=tuple(cause for cause, _ in known), evidence=_evidence(facts))
    return Darkness(known[0][0], known[0][1], tuple(cause for cause, _ in known[1:]), _evidence(facts))


class _Heard:
    """Signs by kind: newest instants, and what the newest of two contraries says."""

    def __init__(self, signs: Iterable[Heard], now_us: int) -> None:
        self._signs = sorted({sign for sign in signs if sign.at_us <= now_us})

    def newest(self, *kinds: Sign) -> Heard | None:
        found = [sign for sign in self._signs if sign.sign in kinds]
        return found[-1] if found else None

    def holds(self, begun: Sign, ended: Sign) -> Heard | None:
        """The sign that something began, when nothing says that it ended."""
        newest = self.newest(begun, ended)
        return newest if newest is not None and newest.sign is begun else None

    def open_alarms(self) -> list[Heard]:
        """Alarms that were raised and not cleared."""
        state: dict[str, Heard] = {}
        for sign in self._signs:
            if sign.sign in (Sign.ALARM_RAISED, Sign.ALARM_CLEARED):
                state[sign.about] = sign
        return [sign for sign in state.values() if sign.sign is Sign.ALARM_RAISED]


def _fresh(at_us: int | None, now_us: int) -> bool:
    return at_us is not None and now_us - at_us <= FRESH_US


def _after(at_us: int | None, other_us: int | None) -> bool:
    return at_us is not None and (other_us is None or at_us > other_us)


def _grid(facts: DarkFacts, heard: _Heard) -> int | None:
    """Since when the street has no power. A meter lives on the street's power: one that answers refutes an outage."""
    if _fresh(facts.voltage_us, facts.now_us) and (facts.voltage_dv or 0) < OUTAGE_DV:
        return facts.voltage_us if facts.voltage_dv is not None else None
    failed = heard.holds(Sign.POWER_FAIL, Sign.POWER_BACK)
    if failed is not None and not _after(facts.read_us, failed.at_us):
        return failed.at_us
    battery = heard.holds(Sign.ON_BATTERY, Sign.ON_MAINS)
    most = facts.neighbours >= 2 and facts.neighbours_silent * 3 >= facts.neighbours * 2
    if battery is not None and not _after(facts.read_us, battery.at_us + SETTLES_US):
        # A gateway's own plug may be out: its meters then go on answering.
        return battery.at_us if most or not facts.neighbours else None
    # Many meters that fall silent at once are an outage or a broken line of the gateway. The dark tells them apart.
    alone = not _fresh(facts.read_us, facts.now_us) and _fresh(facts.gateway_us, facts.now_us)
    if facts.said_dark and most and facts.neighbours >= 3 and alone:
        return facts.read_us or facts.now_us
    return None


def _meter_fault(facts: DarkFacts, heard: _Heard) -> int | None:
    """Since when the meter does not answer, or its relay does not close as ordered."""
    stays = heard.newest(Sign.STAYS_OPEN)
    fresh = _fresh(facts.read_us, facts.now_us)
    shown_open = fresh and facts.relay_closed is False
    if stays is not None and shown_open and not _after(facts.closed_us, stays.at_us):
        return stays.at_us
    if fresh or not _fresh(facts.gateway_us, facts.now_us):
        return None
    silent = heard.holds(Sign.METER_SILENT, Sign.METER_BACK)
    others_answer = facts.neighbours >= 1 and facts.neighbours_silent * 2 < facts.neighbours
    if silent is not None and others_answer and not _after(facts.read_us, silent.at_us):
        return silent.at_us
    return None


def _holders(facts: DarkFacts, heard: _Heard) -> list[tuple[Cause, int | None]]:
    """Who keeps the relay open, if it is: safety, an overload, a person, credit."""
    if facts.relay_closed is not False:
        return []
    found: list[tuple[Cause, int | None]] = []
    cut = heard.holds(Sign.SAFETY_CUT, Sign.SAFETY_RELEASED)
    if cut is not None and not _after(facts.closed_us, cut.at_us + SETTLES_US):
        overload = cut.about == AlarmCode.OVERLOAD
        found.append((Cause.OVERLOAD if overload else Cause.SAFETY, cut.at_us))
    person = heard.holds(Sign.OPERATOR_CUT, Sign.OPERATOR_RESTORED)
    if person is not None and not _after(facts.closed_us, person.at_us + DELIVERED_US):
        found.append((Cause.OPERATOR, person.at_us))
    credit = heard.holds(Sign.CREDIT_CUT, Sign.CREDIT_RESTORED)
    if credit is not None and not _after(facts.closed_us, credit.at_us + DELIVERED_US):
        found.append((Cause.CREDIT, credit.at_us))
    return found


def _breaker(facts: DarkFacts) -> int | None:
    """Since when nothing flows through a closed relay into a home whose people say that it is dark."""
    if not (facts.said_dark and facts.relay_closed and _fresh(facts.read_us, facts.now_us)):
        return None
    if facts.power_w is None or abs(facts.power_w) > IDLE_W or facts.used_us is None:
        return None
    used_lately = facts.now_us - facts.used_us <= US_PER_DAY and _after(facts.read_us, facts.used_us)
    return facts.used_us if used_lately else None


def _in_doubt(facts: DarkFacts, heard: _Heard, cause: Cause) -> bool:
    """Whether something heard speaks against the cause that was found, or was not heard that should have been."""
    if cause in (Cause.GRID, Cause.METER_FAULT):
        return False
    if not _fresh(facts.read_us, facts.now_us):
        return True  # whatever was known may be over
    if cause in (Cause.OPERATOR, Cause.CREDIT):
        # A danger that was raised and not cleared, but no cut for it: its sign may still be on its way.
        return any(_since(sign, facts) for sign in heard.open_alarms())
    return False


def _since(sign: Heard, facts: DarkFacts) -> bool:
    return not _after(facts.closed_us, sign.at_us + SETTLES_US)


def _evidence(facts: DarkFacts) -> Evidence:
    told: list[tuple[str, int | None]] = [
        ("read_us", facts.read_us),
        ("relay_closed", None if facts.relay_closed is None else int(facts.relay_closed)),
        ("power_w", facts.power_w),
        ("voltage_dv", facts.voltage_dv),
        ("gateway_us", facts.gateway_us),
        ("neighbours", facts.neighbours),
        ("neighbours_silent", facts.neighbours_silent),
    ]
    return tuple((name, value) for name, value in told if value is not None)
