"""Homes that go dark for known causes, told to us as badly as a real site tells: late, twice, or not at all.

Each incident plays a day of one home on a street: grid, meter, relay and who holds it, the breaker inside. What a
cloud would know at its end is given to core.alarms.dark, and the answers are counted against the truth.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Final

from fairwatt.core.alarms.dark import CAUSES, Cause, DarkFacts, Heard, Sign, why_dark

MINUTE_US: Final = 60_000_000
DAY_MINUTES: Final = 24 * 60
NOW_US: Final = 1_700_000_000_000_000
EACH: Final = 20
PAIRS_FROM: Final = 12
"""The incidents of a cause from this one on have a second cause behind it."""
LOST, DOUBLED, LATE = 0.03, 0.15, 0.25
_DANGERS: Final = ("terminal_temperature", "residual_current", "overvoltage")
_HOLDS: Final = {
    Cause.SAFETY: (Sign.SAFETY_CUT, Sign.SAFETY_RELEASED),
    Cause.OVERLOAD: (Sign.SAFETY_CUT, Sign.SAFETY_RELEASED),
    Cause.OPERATOR: (Sign.OPERATOR_CUT, Sign.OPERATOR_RESTORED),
    Cause.CREDIT: (Sign.CREDIT_CUT, Sign.CREDIT_RESTORED),
}


@dataclass(frozen=True, slots=True)
class Incident:
    """One home that is dark: why, and what is known of it."""

    seed: str
    causes: tuple[Cause, ...]
    facts: DarkFacts

    @property
    def primary(self) -> Cause:
        """The cause whose removal is needed first."""
        return min(self.causes, key=CAUSES.index)


@dataclass(slots=True)
class _Home:
    """A home and its street as they really are, and what was said of them so far."""

    chance: Random
    grid: bool = True
    meter: bool = True
    sticks: bool = False
    breaker: bool = True
    holders: set[Cause] = field(default_factory=set)
    closed: bool = True
    gateway_runs_min: int = 0
    said: list[Heard] = field(default_factory=list)
    read_us: int | None = None
    relay_closed: bool | None = None
    power_w: int | None = None
    closed_us: int | None = None
    used_us: int | None = None
    voltage_dv: int | None = None
    voltage_us: int | None = None
    gateway_us: int | None = None

    def say(self, at_us: int, sign: Sign, about: str = "") -> None:
        self.said.append(Heard(at_us, sign, about))


def incidents(*, seed: int) -> list[Incident]:
    """Twenty incidents for each cause; the last eight of a cause have a second one where one lies behind it."""
    made = []
    for cause in CAUSES:
        behind = [other for other in CAUSES[CAUSES.index(cause) + 1 :] if _together(cause, other)]
        for n in range(EACH):
            chance = Random(f"dark:{seed}:{cause}:{n}")
            causes = (cause, chance.choice(behind)) if n >= PAIRS_FROM and behind else (cause,)
            made.append(_play(f"{seed}:{cause}:{n}", causes, chance))
    return made


def confusion(told: Sequence[Incident]) -> dict[str, dict[str, int]]:
    """How often each true cause got each answer."""
    counts = Counter((one.primary, why_dark(facts=one.facts).cause) for one in told)
    return {str(true): {str(said): counts[true, said] for said in Cause} for true in CAUSES}


def wrong_per_mille(matrix: dict[str, dict[str, int]]) -> int:
    """The part of all incidents that got a confident answer which is not the cause to be removed first."""
    total = sum(sum(row.values()) for row in matrix.values())
    wrong = sum(
        n for true, row in matrix.items() for said, n in row.items() if said not in (true, Cause.UNKNOWN)
    )
    return wrong * 1000 // total


def _together(first: Cause, second: Cause) -> bool:
    # Two dangers hold one relay as one hold, which waits for the stricter of them.
    return {first, second} != {Cause.SAFETY, Cause.OVERLOAD}


def _play(seed: str, causes: tuple[Cause, ...], chance: Random) -> Incident:
    home = _Home(chance, gateway_runs_min=chance.choice((0, 90, 400)))
    starts = {cause: DAY_MINUTES - chance.randrange(6, 600) for cause in causes}
    red_herrings = [cause for cause in _HOLDS if cause not in causes and chance.random() < 0.4]
    earlier = {cause: chance.randrange(30, 700) for cause in red_herrings}
    every, offset = chance.choice((2, 5, 15)), chance.randrange(15)
    last_end = max((begin + 90 for begin in earlier.values()), default=0)
    starts = {cause: max(begin, min(last_end + 20, DAY_MINUTES - 6)) for cause, begin in starts.items()}
    for minute in range(DAY_MINUTES):
        at_us = NOW_US - (DAY_MINUTES - minute) * MINUTE_US
        for cause, begin in earlier.items():
            if minute == begin:
                _begin(home, cause, at_us)
            elif minute == begin + 75:
                _end(home, cause, at_us)
        for cause, begin in starts.items():
            if minute == begin:
                _begin(home, cause, at_us + chance.randrange(MINUTE_US))
        _live(home, minute, at_us, every, offset, starts)
    return Incident(seed, causes, _known(home, chance))


def _begin(home: _Home, cause: Cause, at_us: int) -> None:
    match cause:
        case Cause.GRID:
            home.grid = False
            if home.chance.random() < 0.5:
                home.say(at_us, Sign.POWER_FAIL)
            if home.gateway_runs_min:
                home.say(at_us, Sign.ON_BATTERY)
        case Cause.METER_FAULT:
            home.sticks = home.chance.random() < 0.5
            if home.sticks:
                home.closed = False
                home.say(at_us + 5 * MINUTE_US, Sign.STAYS_OPEN)
            else:
                home.meter = False
                home.say(at_us + 3 * MINUTE_US, Sign.METER_SILENT)
        case Cause.BREAKER:
            home.breaker = False
        case _:
            _hold(home, cause, at_us)


def _hold(home: _Home, cause: Cause, at_us: int) -> None:
    home.holders.add(cause)
    if cause is Cause.CREDIT and not home.closed:
        return  # nobody orders a relay to open that is open
    about = {Cause.OVERLOAD: "overload", Cause.SAFETY: home.chance.choice(_DANGERS)}.get(cause, "")
    if about and home.meter and home.grid:
        home.say(at_us, Sign.ALARM_RAISED, about)
    if home.meter and home.grid:
        home.closed = False
        home.say(at_us, _HOLDS[cause][0], about)
    if about == "overload":
        home.say(at_us + 2 * MINUTE_US, Sign.ALARM_CLEARED, about)


def _end(home: _Home, cause: Cause, at_us: int) -> None:
    home.holders.discard(cause)
    home.say(at_us, _HOLDS[cause][1])
    for sign in [sign for sign in home.said if sign.sign is Sign.ALARM_RAISED]:
        home.say(at_us - MINUTE_US, Sign.ALARM_CLEARED, sign.about)
    if not home.holders and not home.sticks:
        home.closed = True


def _live(home: _Home, minute: int, at_us: int, every: int, offset: int, starts: dict[Cause, int]) -> None:
    """One minute: the gateway polls, the home uses what it gets."""
    dark_for = minute - starts.get(Cause.GRID, minute)
    if not home.grid and dark_for >= home.gateway_runs_min:
        return
    home.gateway_us = at_us
    if not (home.grid and home.meter) or minute % every != offset % every or home.chance.random() < 0.05:
        return
    flows = home.closed and home.breaker
    home.read_us, home.relay_closed = at_us, home.closed
    home.power_w = home.chance.choice((0, 60, 180, 900)) if flows else 0
    if home.closed:
        home.closed_us = at_us
    if home.power_w:
        home.used_us = at_us
    if minute % 15 == 0:
        home.voltage_dv, home.voltage_us = 2_200 + home.chance.randrange(-80, 80), at_us


def _known(home: _Home, chance: Random) -> DarkFacts:
    """What has reached the cloud by now: signs get lost, doubled, delayed, and arrive in any order."""
    arrived = []
    for sign in home.said:
        late_us = chance.randrange(12 * MINUTE_US) if chance.random() < LATE else 0
        if chance.random() < LOST or sign.at_us + late_us > NOW_US:
            continue
        arrived += [sign] * (2 if chance.random() < DOUBLED else 1)
    chance.shuffle(arrived)
    neighbours = chance.randrange(0, 13)
    silent = sum((not home.grid) or chance.random() < 0.04 for _ in range(neighbours))
    return DarkFacts(
        now_us=NOW_US,
        said_dark=chance.random() < 0.85,
        read_us=home.read_us,
        relay_closed=home.relay_closed,
        power_w=home.power_w,
        voltage_dv=home.voltage_dv,
        voltage_us=home.voltage_us,
        closed_us=home.closed_us,
        used_us=home.used_us,
        gateway_us=home.gateway_us,
        neighbours=neighbours,
        neighbours_silent=silent,
        heard=tuple(arrived),
    )
