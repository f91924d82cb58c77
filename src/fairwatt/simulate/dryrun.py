"""A street on paper: a scenario's homes, people, prices and outages in a few seconds, without one server.

It answers "is this scenario worth running?": how often do people pay, how often does it get dark, do the
outages really hold a payment, a trip and a price change. Supply follows the rules a reader of the policy
would apply by hand; bills are the oracle's. It stands beside the product and shares no decision code with it.
"""

from collections import Counter
from dataclasses import dataclass, field

from fairwatt.simulate.oracle import Account, Tariff
from fairwatt.simulate.residents import Seen, decide
from fairwatt.simulate.scenario import REGISTER_MODULUS_WH, TICK_US, Home, Outage, Scenario
from fairwatt.simulate.terms import Terms

_LEVELS = ("none", "low", "critical", "empty")
_FIGURES = (
    "readings",
    "topups",
    "topups_in_outage",
    "warnings",
    "cuts",
    "local_trips",
    "unlucky_trips",
    "restores",
    "dark_hours",
    "withheld_friendly",
    "withheld_not_warned",
)


@dataclass(slots=True)
class Door:
    """One home while the street runs."""

    home: Home
    account: Account
    register_wh: int  # exact, before the meter's own rounding
    paid_micro: int = 0
    hidden_micro: int = 0  # paid during the outage: the gateway does not know of it yet
    closed: bool = True
    level: int = 0
    warned_at_us: int | None = None
    dark_since_us: int | None = None
    paid_at_us: int | None = None
    emitted: list[tuple[int, int]] = field(default_factory=list)

    @property
    def balance_micro(self) -> int:
        """What the wallet holds."""
        return self.home.opening_micro + self.paid_micro - self.account.total.amount_micro


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a dry run saw. `counts` holds topups, cuts, restores, warnings, trips and their like."""

    counts: Counter[str]
    doors: tuple[Door, ...]
    trips: tuple[tuple[int, int], ...]  # (tick, home) of each cut the edge made by itself
    topups: tuple[tuple[int, int, int], ...]  # (tick, home, amount in minor units)

    def figures(self) -> dict[str, int]:
        """The counts by name, zero where nothing happened."""
        return {name: self.counts[name] for name in _FIGURES}


def dry_run(*, scenario: Scenario) -> Outcome:
    """Run a scenario on paper, tick by tick, and report what happened."""
    return _Street(scenario).run()


def is_friendly(*, terms: Terms, tariff: Tariff, at_us: int) -> bool:
    """Whether nobody may be cut off at an instant, by the hours of the policy."""
    local = tariff.local(at_us)
    if terms.friendly_weekends and local.weekday() >= 5:
        return True
    minute = local.hour * 60 + local.minute
    return any(start <= minute < end for start, end in terms.friendly)


class _Street:
    def __init__(self, scenario: Scenario) -> None:
        self.scenario, self.terms = scenario, scenario.terms
        self.tariff = Tariff(text=scenario.terms.tariff_text)
        self.counts: Counter[str] = Counter()
        self.trips: list[tuple[int, int]] = []
        self.topups: list[tuple[int, int, int]] = []
        self.surging: dict[Outage, int] = {}
        self.doors = [
            Door(home, Account(self.tariff, home.opening, REGISTER_MODULUS_WH), home.opening.register_wh)
            for home in scenario.cast()
        ]

    def run(self) -> Outcome:
        for tick in range(1, self.scenario.ticks + 1):
            self._surges(tick)
            for door in self.doors:
                self._tick(door, tick)
        return Outcome(self.counts, tuple(self.doors), tuple(self.trips), tuple(self.topups))

    def _surges(self, tick: int) -> None:
        """Where an outage with a surge begins, the home with the least credit starts to draw more."""
        for outage in self.scenario.outages:
            if outage.surge_w and outage.start_tick == tick:
                homes = self.scenario.homes_of(outage.gateway)
                lit = [self.doors[home] for home in homes if self.doors[home].closed] or [
                    self.doors[homes[0]]
                ]
                self.surging[outage] = min(lit, key=lambda door: door.balance_micro).home.index

    def _tick(self, door: Door, tick: int) -> None:
        now_us, outage = (
            self.scenario.at_us(tick),
            self.scenario.outage_of(gateway=door.home.gateway, tick=tick),
        )
        self._use(door, tick, outage)
        if outage is None:
            door.hidden_micro = 0
        self._warn(door, now_us)
        self._supply(door, tick, offline=outage is not None)
        before = len(self.topups)
        self._people(door, tick, outage)
        if len(self.topups) > before:
            self._warn(door, now_us)
            self._supply(door, tick, offline=outage is not None)
        if not door.closed:
            self.counts["dark_half_hours"] += 1
            self.counts["dark_hours"] = self.counts["dark_half_hours"] // 2

    def _use(self, door: Door, tick: int, outage: Outage | None) -> None:
        if door.closed:
            door.register_wh += door.home.series.wh[tick - 1]
            if outage is not None and self.surging.get(outage) == door.home.index:
                door.register_wh += outage.surge_w * (TICK_US // 1_000_000) // 3600
        at_us, shown_wh = self.scenario.at_us(tick), door.register_wh // 10 * 10 % REGISTER_MODULUS_WH
        door.emitted.append((at_us, shown_wh))
        door.account.read(at_us=at_us, register_wh=shown_wh)
        self.counts["readings"] += 1

    def _warn(self, door: Door, now_us: int) -> None:
        """Warn when the credit known to the decider falls to a worse level; a top-up lifts it quietly."""
        known_micro = door.balance_micro - door.hidden_micro
        price, tax = self.tariff.energy_price(at_us=now_us, from_wh=0, to_wh=1000)
        level = 0
        if known_micro <= 0:
            level = 3
        elif known_micro < self.terms.critical_micro:
            level = 2
        elif known_micro < self.terms.low_micro or known_micro * 1000 // (price + tax) < self.terms.low_wh:
            level = 1
        if level > door.level:
            door.warned_at_us = now_us
            self.counts["warnings"] += 1
            self.counts[f"warnings_{_LEVELS[level]}"] += 1
        door.level = level

    def _supply(self, door: Door, tick: int, *, offline: bool) -> None:
        now_us, known_micro = self.scenario.at_us(tick), door.balance_micro - door.hidden_micro
        if known_micro > 0:
            if not door.closed:
                door.closed, door.dark_since_us = True, None
                self.counts["restores"] += 1
            return
        if not door.closed:
            return
        if is_friendly(terms=self.terms, tariff=self.tariff, at_us=now_us):
            self.counts["withheld_friendly"] += 1
        elif door.warned_at_us is None or now_us < door.warned_at_us + self.terms.warn_lead_us:
            self.counts["withheld_not_warned"] += 1
        else:
            door.closed, door.dark_since_us = False, now_us
            self.counts["cuts"] += 1
            if offline:
                self.counts["local_trips"] += 1
                self.counts["unlucky_trips"] += door.balance_micro > 0
                self.trips.append((tick, door.home.index))

    def _people(self, door: Door, tick: int, outage: Outage | None) -> None:
        now_us, index = self.scenario.at_us(tick), door.home.index
        seen = Seen(door.warned_at_us, door.dark_since_us, door.paid_at_us)
        payment = decide(resident=door.home.resident, seen=seen, now_us=now_us)
        planned = outage is not None and (outage.topup.tick, outage.topup.home) == (tick, index)
        amount_minor = payment.amount_minor if payment else 0
        if planned and outage is not None:
            amount_minor += outage.topup.amount_minor
        if not amount_minor:
            return
        door.paid_micro += amount_minor * 10_000
        door.paid_at_us = now_us
        if outage is not None:
            door.hidden_micro += amount_minor * 10_000
            self.counts["topups_in_outage"] += 1
        self.counts["topups"] += 1
        self.topups.append((tick, index, amount_minor))
