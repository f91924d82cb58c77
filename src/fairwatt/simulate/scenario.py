"""What will happen to a street, drawn in full from one number before anything runs.

A `Scenario` is plain data: homes, days, prices, policy, and every fault with its tick. The same seed gives
the same scenario on every machine, so a failed run is told by its seed alone. The one thing left open is
which home of a gateway trips during an outage: the driver picks the one with the least credit when the outage
begins (`Outage.surge_w`).

Tick k is the instant `start_us + k * TICK_US`; at tick k the meters hold the use of the half hours 0 to k-1.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Literal

from fairwatt.intervals.series import HomeSeries
from fairwatt.simulate.homes import street_homes
from fairwatt.simulate.meters.faults import Fault, FaultKind
from fairwatt.simulate.moves import PlannedMove, draw_moves
from fairwatt.simulate.network import LinkFaults
from fairwatt.simulate.oracle import Opening, Wallet, expect
from fairwatt.simulate.paysim import PayFaults
from fairwatt.simulate.residents import Habit, Resident, move_in
from fairwatt.simulate.rollbacks import Rollback
from fairwatt.simulate.terms import ALL_TERMS, STREET_GBP, Terms

TICK_US = 1_800_000_000
TICKS_PER_DAY = 48
REGISTER_MODULUS_WH = 1_000_000_000
SURGE_W = 6_000
PROTECTED_HOME = 5
MISPAID_HOME = 3
ROLLING_HOME = 2
"""Its register rolls over."""
AWAY_HOME = 6
"""Nobody is at home there in the street that is shown."""
FORESEEN_DAYS = 14
"""A street this long has a home that is warned days ahead."""
STAYING_HOMES = (ROLLING_HOME, MISPAID_HOME, PROTECTED_HOME, AWAY_HOME)
_DAY_US = TICKS_PER_DAY * TICK_US
_LIES = (FaultKind.BACKWARD, FaultKind.JUMP)
_LINE_FAULTS = (FaultKind.MUTE, FaultKind.DEAF_LINE, FaultKind.NOISE, FaultKind.CUT, FaultKind.CHECKSUM)

Target = Literal["poster", "postgres", "nats"]


@dataclass(frozen=True, slots=True)
class PlannedTopup:
    """A payment that is made whatever the resident's habit."""

    tick: int
    home: int
    amount_minor: int


@dataclass(frozen=True, slots=True)
class Outage:
    """One gateway without a network for the half-open span of ticks.

    `silent` keeps connections open and swallows everything. With `surge_w` the gateway's home with the least
    credit draws that much more from the first tick to the last, so that it trips by the edge's own decision.
    """

    gateway: int
    start_tick: int
    end_tick: int
    topup: PlannedTopup
    silent: bool = False
    surge_w: int = 0


@dataclass(frozen=True, slots=True)
class Kill:
    """A process is killed without warning, `after_ms` wall milliseconds into the work of a tick."""

    tick: int
    target: Target
    after_ms: int


@dataclass(frozen=True, slots=True)
class TypedCode:
    """At that tick somebody types a restore code at a dark home of a gateway without a line."""

    gateway: int
    tick: int
    hours: int


@dataclass(frozen=True, slots=True)
class MeterFault:
    """The line to one home's meter is bad for the half-open span of ticks."""

    home: int
    kind: FaultKind
    start_tick: int
    end_tick: int


@dataclass(frozen=True, slots=True)
class Home:
    """One door: its use, its payer, and where its meter and its wallet begin."""

    index: int
    gateway: int
    series: HomeSeries
    resident: Resident
    opening: Opening
    opening_micro: int
    daily_minor: int
    protected: bool = False
    """somebody lives here who may never be cut"""


@dataclass(frozen=True, slots=True)
class Scenario:
    """Everything that is decided about a run before it starts."""

    seed: int
    days: int
    homes: int
    gateways: int
    start_us: int
    terms: Terms
    outages: tuple[Outage, ...]
    kills: tuple[Kill, ...]
    meter_faults: tuple[MeterFault, ...]
    link_faults: LinkFaults
    pay_faults: PayFaults
    mispaid: PlannedTopup | None = None
    """An order that the platform settles with another amount: it belongs into review, not onto the wallet."""
    rollbacks: tuple[Rollback, ...] = ()
    codes: tuple[TypedCode, ...] = ()
    series: tuple[HomeSeries, ...] = ()
    """Use of the homes when it comes from a file; empty: the built-in street."""
    moves: tuple[PlannedMove, ...] = ()
    """Homes that change hands while their gateway has no line."""
    foreseen: int | None = None
    """The home that buys for a week at a time and is warned days ahead."""

    @property
    def ticks(self) -> int:
        """The last tick of the run."""
        return self.days * TICKS_PER_DAY

    @property
    def end_us(self) -> int:
        """The instant of the last tick."""
        return self.at_us(self.ticks)

    @property
    def change_tick(self) -> int:
        """The first tick under the new prices."""
        return -((self.start_us - self.terms.change_us) // TICK_US)

    def at_us(self, tick: int) -> int:
        """The instant of a tick."""
        return self.start_us + tick * TICK_US

    def gateway_of(self, home: int) -> int:
        """The gateway a home's meter hangs on: neighbours share one."""
        return home * self.gateways // self.homes

    def homes_of(self, gateway: int) -> list[int]:
        """The homes of one gateway."""
        return [home for home in range(self.homes) if self.gateway_of(home) == gateway]

    def outage_of(self, *, gateway: int, tick: int) -> Outage | None:
        """The outage a gateway is in at a tick, if any."""
        for outage in self.outages:
            if outage.gateway == gateway and outage.start_tick <= tick < outage.end_tick:
                return outage
        return None

    def faults_of(self, home: int) -> list[Fault]:
        """The bad spells of one home's line, as the simulated meters take them."""
        return [
            Fault(fault.kind, from_us=self.at_us(fault.start_tick), until_us=self.at_us(fault.end_tick))
            for fault in self.meter_faults
            if fault.home == home
        ]

    @classmethod
    def demo(cls) -> "Scenario":
        """The demo street: 20 homes and 30 days from 18 March 2013, British prices.

        The span holds the start of summer time, a month's end (the tiers restart) and a price change.
        """
        return _draw(seed=2013, days=30, homes=20, terms=STREET_GBP, days_before_change=20)

    @classmethod
    def from_seed(cls, seed: int, *, days: int = 30, homes: int = 20) -> "Scenario":
        """Draw a street from a number. Raises ValueError unless 5 <= days <= 60 and 4 <= homes <= 96."""
        draw = Random(f"{seed}/terms")
        terms = draw.choice(ALL_TERMS)
        return _draw(
            seed=seed,
            days=days,
            homes=homes,
            terms=terms,
            days_before_change=draw.randint(2, max(2, days - 3)),
        )

    def cast(self) -> list[Home]:
        """Fill the doors: real use, a payer, an opening register and an opening balance for each.

        The third home's register stands 40 kWh before it rolls over.
        """
        draw = Random(f"{self.seed}/cast")
        series = self.series or street_homes(count=self.homes, start_us=self.start_us, end_us=self.end_us)
        daily = [self._daily_minor(home) for home in series]
        named = [(home.home, minor) for home, minor in zip(series, daily, strict=True)]
        people = move_in(seed=self.seed, homes=named, zone=self.terms.zone)
        cast = []
        for index, (home, resident, minor) in enumerate(zip(series, people, daily, strict=True)):
            register_wh = draw.randrange(1_000_000, 90_000_000, 10)
            if index == ROLLING_HOME:
                register_wh = REGISTER_MODULUS_WH - 40_000
            opening_minor = max(150, minor * draw.randint(6, 28) // 10)
            if index == self.foreseen:
                # Whole weeks at once, and nothing is paid before it is dark: what a warning is worth is seen here.
                opening_minor = minor * 6
                resident = replace(resident, habit=Habit.DARK, usual_minor=minor * 6)
            opening = Opening(self.start_us, register_wh)
            cast.append(
                Home(
                    index=index,
                    gateway=self.gateway_of(index),
                    series=home,
                    resident=resident,
                    opening=opening,
                    opening_micro=opening_minor * 10_000,
                    daily_minor=minor,
                    protected=index == PROTECTED_HOME,
                )
            )
        return cast

    def _daily_minor(self, home: HomeSeries) -> int:
        """What a home spends on a usual day, as its payer would feel it, in minor units."""
        register_wh, emitted = 0, []
        for first in range(0, len(home.wh), TICKS_PER_DAY):
            register_wh += sum(home.wh[first : first + TICKS_PER_DAY])
            emitted.append((self.at_us(first + TICKS_PER_DAY), register_wh))
        wallet = Wallet(0, self.terms.tariff_text, [(Opening(self.start_us, 0), emitted)])
        return expect(wallet=wallet).charge.amount_micro // (10_000 * self.days)


def _draw(*, seed: int, days: int, homes: int, terms: Terms, days_before_change: int) -> Scenario:
    if not (5 <= days <= 60 and 4 <= homes <= 96):
        raise ValueError(
            f"a street has 4 to 96 homes and runs 5 to 60 days, not {homes} homes and {days} days"
        )
    start_us = (terms.change_us // _DAY_US - days_before_change) * _DAY_US
    street = _with_faults(seed=seed, days=days, homes=homes, start_us=start_us, terms=terms)
    # A street of somebody's own file keeps its people: its bills are compared home by home.
    street = replace(street, moves=draw_moves(street, staying=STAYING_HOMES))
    return replace(street, foreseen=_foreseen(street))


def _foreseen(street: Scenario) -> int | None:
    """A home whose credit lasts long enough to be foreseen, where the street is long enough for that."""
    taken = {*STAYING_HOMES, *(move.home for move in street.moves)}
    free = [home for home in range(street.homes) if home not in taken]
    if street.days < FORESEEN_DAYS or not free:
        return None
    return Random(f"{street.seed}/foreseen").choice(free)


def scenario_of_series(
    *, seed: int, days: int, start_us: int, terms: Terms, series: Sequence[HomeSeries]
) -> Scenario:
    """A scenario over given homes, whose series cover exactly those days; faults fit what room there is."""
    return _with_faults(
        seed=seed, days=days, homes=len(series), start_us=start_us, terms=terms, series=tuple(series)
    )


def _with_faults(
    *,
    seed: int,
    days: int,
    homes: int,
    start_us: int,
    terms: Terms,
    series: tuple[HomeSeries, ...] = (),
) -> Scenario:
    draw = Random(f"{seed}/faults")
    gateways = max(2, min(4, homes // 4)) if homes > 1 else 1
    bare = Scenario(seed, days, homes, gateways, start_us, terms, (), (), (), LinkFaults(), PayFaults())
    outages = _outages(draw, bare)
    return Scenario(
        seed=seed,
        days=days,
        homes=homes,
        gateways=gateways,
        start_us=start_us,
        terms=terms,
        series=series,
        outages=outages,
        kills=_kills(draw, days=days),
        meter_faults=_meter_faults(draw, bare) + _lies(draw, bare),
        mispaid=PlannedTopup(bare.ticks * 2 // 3, MISPAID_HOME, 500) if homes > MISPAID_HOME else None,
        link_faults=LinkFaults(
            lose=draw.randint(8, 20),
            double=draw.randint(20, 60),
            delay=draw.randint(10, 30),
            reorder=20,
            # Wall time: long enough for other frames to overtake, short enough for a month in a minute.
            delay_ms=(1, 25),
            reorder_wait_ms=20,
        ),
        pay_faults=PayFaults(duplicate=draw.randint(100, 250), late=draw.randint(50, 150)),
    )


def _outages(draw: Random, bare: Scenario) -> tuple[Outage, ...]:
    """One outage over the price change, two with a local trip, and others: one in six days, five at least."""
    outages: list[Outage] = []
    start = max(1, bare.change_tick - draw.randint(4, 12))
    end = min(bare.ticks - 2, bare.change_tick + draw.randint(12, 24))
    if end - start >= 12:
        outages.append(_outage(draw, bare, draw.randrange(bare.gateways), start, end))
    for number in range(max(4, bare.days // 6)):
        trips = number < 2
        length = draw.randint(26, 36) if trips else draw.randint(12, 40)
        spot = _free_start(draw, bare, outages, length=length, morning=trips)
        if spot is None:
            continue  # a short file has no room for another outage
        gateway, start = spot
        silent = not trips and draw.randrange(3) == 0
        outage = _outage(draw, bare, gateway, start, start + length)
        outages.append(replace(outage, silent=silent, surge_w=SURGE_W if trips else 0))
    return tuple(sorted(outages, key=lambda outage: (outage.start_tick, outage.gateway)))


def _outage(draw: Random, bare: Scenario, gateway: int, start: int, end: int) -> Outage:
    home = draw.choice(bare.homes_of(gateway))
    topup = PlannedTopup(draw.randint(start + 2, end - 2), home, draw.choice((300, 500, 750, 1000)))
    return Outage(gateway, start, end, topup)


def _free_start(
    draw: Random, bare: Scenario, outages: Sequence[Outage], *, length: int, morning: bool
) -> tuple[int, int] | None:
    """A gateway and a tick, two free hours away from the gateway's other outages; quiet gateways come first.

    With `morning` the outage begins at about six local time, so that the trip falls into the hours in which a
    home may be cut.
    """
    day_starts = 12 if bare.terms.zone == "Europe/London" else TICKS_PER_DAY - 4
    starts = range(day_starts if morning else 2, bare.ticks - length - 1, TICKS_PER_DAY if morning else 1)
    free = [
        (gateway, start)
        for gateway in range(bare.gateways)
        for start in starts
        if all(
            outage.gateway != gateway or start > outage.end_tick + 4 or start + length < outage.start_tick - 4
            for outage in outages
        )
    ]
    if not free:
        return None
    had = Counter(outage.gateway for outage in outages)
    fewest = min(had[gateway] for gateway, _ in free)
    return draw.choice([spot for spot in free if had[spot[0]] == fewest])


def _kills(draw: Random, *, days: int) -> tuple[Kill, ...]:
    """Each server process dies at least once, the poster again every ten days; never two in one tick."""
    targets: list[Target] = ["poster", "postgres", "nats"]
    targets += ["poster"] * (days // 10)
    ticks = sorted(draw.sample(range(8, days * TICKS_PER_DAY - 8), len(targets)))
    draw.shuffle(targets)
    return tuple(Kill(tick, target, draw.randint(0, 60)) for tick, target in zip(ticks, targets, strict=True))


def _meter_faults(draw: Random, bare: Scenario) -> tuple[MeterFault, ...]:
    """One bad spell of a line every two days, up to three hours long; registers and relays stay true."""
    faults = []
    for _ in range(bare.days // 2):
        start = draw.randrange(4, bare.ticks - 10)
        kind = draw.choice(_LINE_FAULTS)
        faults.append(MeterFault(draw.randrange(bare.homes), kind, start, start + draw.randint(1, 6)))
    return tuple(sorted(faults, key=lambda fault: (fault.start_tick, fault.home)))


def _lies(draw: Random, bare: Scenario) -> tuple[MeterFault, ...]:
    """Each kind of lying register once, for half an hour: backward, and a jump no home could use."""
    return tuple(
        MeterFault(draw.randrange(bare.homes), kind, start, start + 1)
        for kind in _LIES
        for start in [draw.randrange(4, bare.ticks - 4)]
    )
