"""The people of the street: each tops up in a way of their own, many of them late.

A resident's decision is a pure function of what they have seen (a warning, a dark home, their last payment),
of the time they are told, and of the street's seed. Asked twice with the same answers in hand, they do the
same thing. Nobody here knows balances, tariffs or meters: people act on messages and on the light going out.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from random import Random
from zoneinfo import ZoneInfo

_HOUR_US = 3_600_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Habit(StrEnum):
    """How a resident meets a low balance."""

    PROMPT = "prompt"  # pays within hours of the first warning
    EVENING = "evening"  # pays after work, often a day later
    FORGETFUL = "forgetful"  # means to pay, sometimes forgets until it is dark
    DARK = "dark"  # lets every warning pass and pays when the light goes out
    AWAY = "away"  # pays nothing at all


@dataclass(frozen=True, slots=True)
class Manner:
    """The delays of a habit, in hours, and the share of warnings it forgets."""

    warning_h: tuple[int, int]
    dark_h: tuple[int, int]
    forgets_percent: int
    awake: tuple[int, int]  # local hours of the day in which they pay


MANNERS: dict[Habit, Manner] = {
    Habit.PROMPT: Manner(warning_h=(0, 6), dark_h=(0, 1), forgets_percent=4, awake=(7, 23)),
    Habit.EVENING: Manner(warning_h=(8, 34), dark_h=(0, 5), forgets_percent=10, awake=(17, 23)),
    Habit.FORGETFUL: Manner(warning_h=(4, 44), dark_h=(0, 3), forgets_percent=45, awake=(8, 23)),
    Habit.DARK: Manner(warning_h=(0, 0), dark_h=(0, 4), forgets_percent=100, awake=(7, 24)),
}
# Ten people: three prompt, three after work, two forgetful, two who wait for the dark.
_MIX = (
    Habit.PROMPT,
    Habit.EVENING,
    Habit.DARK,
    Habit.FORGETFUL,
    Habit.PROMPT,
    Habit.EVENING,
    Habit.DARK,
    Habit.EVENING,
    Habit.FORGETFUL,
    Habit.PROMPT,
)


@dataclass(frozen=True, slots=True)
class Resident:
    """One home's payer. `usual_minor` is what they tend to pay at once, in the currency's smallest coin."""

    home: str
    habit: Habit
    usual_minor: int
    zone: str
    seed: int
    coin_minor: int = 100  # amounts are whole multiples of this


@dataclass(frozen=True, slots=True)
class Seen:
    """What has happened to a resident's home, as far as they can tell. None: it has not happened.

    `warned_at_us` is the newest warning, `dark_since_us` the start of the present cut, `paid_at_us` the last
    payment they made themselves.
    """

    warned_at_us: int | None = None
    dark_since_us: int | None = None
    paid_at_us: int | None = None


@dataclass(frozen=True, slots=True)
class Payment:
    """A decision to pay now. `due_us` is when they made up their mind."""

    home: str
    amount_minor: int
    due_us: int
    because: str  # "warning" or "dark"


def move_in(
    *, seed: int, homes: Sequence[tuple[str, int]], zone: str, coin_minor: int = 100
) -> list[Resident]:
    """Give each home a payer. `homes` are (home, usual daily spend in minor units), in door order.

    The mix of habits is fixed and its order is drawn from the seed, so every street has all kinds of people.
    Usual amounts are small on purpose: one to three days of the home's own spend.
    """
    draw = Random(f"{seed}/move-in")
    habits: list[Habit] = []
    while len(habits) < len(homes):
        habits += draw.sample(_MIX, len(_MIX))
    residents = []
    for (home, daily_minor), habit in zip(homes, habits, strict=False):
        days_tenths = draw.randint(12, 30)
        coins = max(3, -(-daily_minor * days_tenths // (10 * coin_minor)))
        residents.append(Resident(home, habit, coins * coin_minor, zone, seed, coin_minor))
    return residents


def decide(*, resident: Resident, seen: Seen, now_us: int) -> Payment | None:
    """Say whether a resident pays now, and how much.

    Each warning and each cut starts one intention with its own delay; a payment made since then ends it.
    Returns None while they wait, sleep, have forgotten, or have nothing to react to.
    """
    if resident.habit is Habit.AWAY:
        return None
    manner = MANNERS[resident.habit]
    if seen.dark_since_us is not None:
        draw = _luck(resident, "dark", seen.dark_since_us)
        due_us = _awake(resident, seen.dark_since_us + _delay_us(draw, manner.dark_h))
        # They may pay again while dark when the last payment did not bring the light back, but not at once.
        if seen.paid_at_us is not None and seen.paid_at_us >= seen.dark_since_us:
            due_us = max(due_us, _awake(resident, seen.paid_at_us + 3 * _HOUR_US))
        if now_us >= due_us:
            return Payment(resident.home, _amount(resident, draw, more=True), due_us, "dark")
        return None
    if seen.warned_at_us is None or (seen.paid_at_us is not None and seen.paid_at_us >= seen.warned_at_us):
        return None
    draw = _luck(resident, "warning", seen.warned_at_us)
    if draw.randrange(100) < manner.forgets_percent:
        return None
    due_us = _awake(resident, seen.warned_at_us + _delay_us(draw, manner.warning_h))
    if now_us < due_us:
        return None
    return Payment(resident.home, _amount(resident, draw, more=False), due_us, "warning")


def _luck(resident: Resident, event: str, at_us: int) -> Random:
    # Seeded by text, whose digest is the same on every machine and Python version.
    return Random(f"{resident.seed}/{resident.home}/{event}/{at_us}")


def _delay_us(draw: Random, hours: tuple[int, int]) -> int:
    return draw.randint(hours[0] * 60, hours[1] * 60) * 60_000_000


def _amount(resident: Resident, draw: Random, *, more: bool) -> int:
    """Near the usual amount, a little more after a night in the dark, and odd pennies now and then."""
    percent = draw.choice((60, 80, 100, 100, 120)) + (25 if more else 0)
    coins = max(2, resident.usual_minor * percent // (100 * resident.coin_minor))
    odd = draw.randrange(1, resident.coin_minor) if resident.coin_minor > 1 and draw.randrange(8) == 0 else 0
    return coins * resident.coin_minor + odd


def _awake(resident: Resident, at_us: int) -> int:
    """The first instant from `at_us` on at which this person is up and about."""
    zone = ZoneInfo(resident.zone)
    first_h, last_h = MANNERS[resident.habit].awake
    local = (_EPOCH + timedelta(microseconds=at_us)).astimezone(zone)
    if first_h <= local.hour < last_h:
        return at_us
    day = local.date() + timedelta(days=1 if local.hour >= last_h else 0)
    up = datetime(day.year, day.month, day.day, first_h, tzinfo=zone)
    return (up.astimezone(UTC) - _EPOCH) // timedelta(microseconds=1)
