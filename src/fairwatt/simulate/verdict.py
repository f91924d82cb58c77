"""Judging a run: the product's books against the meters' own registers, people's money, and the oracle."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from fairwatt.simulate.estate import MAX_POWER_W, Door
from fairwatt.simulate.eyes import Happened, LedgerLine
from fairwatt.simulate.figures import (
    LATE,
    LAWS,
    MOVED,
    READING,
    TOPUP,
    cuts_unheard,
    figures_of,
    journal_difference,
)
from fairwatt.simulate.oracle import Wallet, expect
from fairwatt.simulate.rollbacks import copied_us, forgets
from fairwatt.simulate.scenario import REGISTER_MODULUS_WH, TICK_US
from fairwatt.simulate.stays import Stay, find_moves, judge_moves, lies_of, stays_of, supplied
from fairwatt.simulate.street import Street

REVIEW_SPARES_US = 72 * 3_600_000_000


@dataclass(kw_only=True)
class Verdict:
    """The figures of a run; `broken` names every law that does not hold, with where to look."""

    figures: dict[str, int | float | str | None]
    broken: list[str] = field(default_factory=list)
    bills: list[dict[str, int | str]] = field(default_factory=list)
    """per home: energy in Wh, its cost by component and what was paid, in micro-units"""

    @property
    def held(self) -> bool:
        """True when every law held."""
        return not self.broken


async def judge(*, street: Street) -> Verdict:
    """Compare everything that can be compared."""
    lines, events = await street.eyes.lines(), await street.eyes.events()
    figures: Counter[str] = Counter()
    broken: list[str] = []
    by_wallet: dict[int, list[LedgerLine]] = {}
    for line in lines:
        by_wallet.setdefault(line.wallet, []).append(line)
    await find_moves(street)
    bills, leads_us = [], list[int]()
    for mine in by_wallet.values():
        _chain(mine, figures, broken)
    for door in street.doors:
        stays = stays_of(street, door)
        everybodys = [line for stay in stays for line in stay.of(by_wallet.get(stay.wallet, []))]
        _readings(street, door, everybodys, figures, broken)
        for stay in stays:
            mine = stay.of(by_wallet.get(stay.wallet, []))
            _money(street, stay, mine, figures, broken)
            bills.append(_bill(stay, mine))
        for view, happened in supplied(street, door, events):
            leads_us += _supply(street, view, happened, by_wallet.get(view.wallet, []), figures, broken)
    await judge_moves(street, figures, broken)
    figures["paid_but_dark"] = street.counts["paid_but_dark"]
    figures["journal_difference_micro"] = await journal_difference(street.eyes)
    figures["cuts_unheard"] = await cuts_unheard(street.eyes)
    broken += [f"{law} is {figures[law]}" for law in LAWS if figures[law]]
    return Verdict(
        figures=await figures_of(street, lines, events, figures, leads_us), broken=broken, bills=bills
    )


def _bill(stay: Stay, mine: list[LedgerLine]) -> dict[str, int | str]:
    return {
        "home": stay.door.home.series.home,
        **({"from_us": stay.opening.at_us} if stay.moved else {}),
        "energy_wh": sum(line.energy_wh for line in mine),
        "energy_micro": sum(line.energy_micro for line in mine),
        "standing_micro": sum(line.standing_micro for line in mine),
        "tax_micro": sum(line.tax_micro for line in mine),
        "topups_micro": sum(line.amount_micro for line in mine if line.kind == TOPUP),
        "balance_micro": sum(line.amount_micro for line in mine),
    }


def _readings(
    street: Street, door: Door, mine: list[LedgerLine], figures: Counter[str], broken: list[str]
) -> None:
    """Every register that left the meter is in the ledger, once."""
    stored = Counter(line.at_us for line in mine if line.kind in (READING, LATE))
    lies = {at_us for at_us, _ in lies_of(street, door)}
    emitted = {e.at_us for e in door.meter.emitted if e.at_us > door.home.opening.at_us} - lies
    figures["lies_told"] += len(lies)
    forgotten = {at_us for at_us in emitted - set(stored) if _forgot(street, door, at_us)}
    figures["readings_forgotten"] += len(forgotten)
    lost = sorted(emitted - set(stored) - forgotten)
    doubled = sum(count - 1 for count in stored.values())
    figures["readings_lost"] += len(lost)
    figures["readings_doubled"] += doubled
    if lost or doubled:
        broken.append(f"home {door.home.index}: lost readings at {lost[:5]}, {doubled} doubled")
    shown = [e.register_wh for e in door.meter.emitted if e.at_us not in lies]
    used = (shown[-1] - door.home.opening.register_wh) % REGISTER_MODULUS_WH if shown else 0
    charged = sum(line.energy_wh for line in mine)
    if used != charged:
        broken.append(
            f"home {door.home.index}: the register moved {used} Wh, the ledger charged {charged} Wh"
        )
    figures["energy_difference_wh"] += abs(used - charged)


def _money(
    street: Street, stay: Stay, mine: list[LedgerLine], figures: Counter[str], broken: list[str]
) -> None:
    """Wallet = money paid - exact cost, component by component, to the micro-unit; who left is owed what is left."""
    door = stay.door
    paid = {p.our_ref: p.amount_micro for p in stay.paid}
    confirmed = [paid[p.our_ref] for p in street.pay.payments if p.our_ref in paid]
    wallet = Wallet(0, street.scenario.terms.tariff_text, [(stay.opening, stay.shown)], confirmed)
    want = expect(wallet=wallet, modulus_wh=REGISTER_MODULUS_WH, max_power_w=MAX_POWER_W)
    back_micro = max(0, want.balance_micro) if stay.gone else 0
    have = {
        "balance": mine[-1].balance_micro if mine and not stay.installation else want.balance_micro,
        "energy": sum(line.energy_micro for line in mine),
        "standing": sum(line.standing_micro for line in mine),
        "tax": sum(line.tax_micro for line in mine),
        "sum of lines": sum(line.amount_micro for line in mine),
        "owed back": -sum(line.amount_micro for line in mine if line.kind == MOVED),
    }
    right = {
        "balance": want.balance_micro - back_micro,
        "energy": want.charge.energy_micro,
        "standing": want.charge.standing_micro,
        "tax": want.charge.tax_micro,
        "sum of lines": want.balance_micro - back_micro,
        "owed back": back_micro,
    }
    for name, value in have.items():
        difference = abs(value - right[name])
        figures["money_difference_micro"] += difference
        figures["moved_bills_difference_micro"] += difference if stay.moved else 0
        if difference:
            broken.append(f"home {door.home.index}: {name} is {value}, the oracle says {right[name]}")
    figures["payments_not_credited"] += len(confirmed) - sum(line.kind == TOPUP for line in mine)


def _chain(mine: list[LedgerLine], figures: Counter[str], broken: list[str]) -> None:
    """A wallet's lines are numbered without a gap, and each balance is the one before and its amount."""
    running = 0
    for number, line in enumerate(mine, start=1):
        running += line.amount_micro
        if line.seq != number or line.balance_micro != running:
            figures["money_difference_micro"] += 1
            broken.append(f"wallet {line.wallet}: line {line.seq} breaks the chain of balances")
            return


def _supply(
    street: Street,
    door: Door,
    events: list[Happened],
    mine: list[LedgerLine],
    figures: Counter[str],
    broken: list[str],
) -> list[int]:
    """Every cut was right and warned, every due cut happened, every restoration is proven by a reading.

    Return for each cut how long before it the first warning came.
    """
    leads_us = []
    warned = sorted(
        e.at_us for e in events if e.kind.startswith("warning.") or e.kind == "gateway.local_warning"
    )
    topups = [(line.at_us, line.amount_micro) for line in mine if line.kind == TOPUP]
    trips = {e.at_us for e in events if e.kind == "gateway.local_trip"}
    decided = [e for e in events if e.kind == "supply.cut"]
    for move in door.meter.moves:
        if move.closed:
            figures["restores"] += 1
            continue
        figures["cuts"] += 1
        local = move.at_us in trips or _forgot(street, door, move.at_us)
        figures["local_trips"] += local
        order = max((e for e in decided if e.at_us <= move.at_us), key=lambda e: e.id, default=None)
        at_us = order.at_us if order is not None and not local else move.at_us
        known_until = _known_until(street, door, at_us, local=True) if local else at_us
        if local:
            known = [topup for topup in topups if topup[0] <= known_until]
        else:
            # Within one frozen instant only the order of the rows tells what the decider knew.
            newest_id = order.id if order is not None else 0
            known = topups[: sum(e.kind == "payment.credited" and e.id < newest_id for e in events)]
        available = sum(amount for _, amount in known) - _cost(door, at_us)
        story_us = _story_us(door, known)
        leads_us.append(at_us - next((w for w in warned if w >= story_us), at_us))
        if not any(story_us <= w <= at_us - street.scenario.terms.warn_lead_us for w in warned):
            figures["cuts_not_warned"] += 1
            broken.append(f"home {door.home.index}: cut at {at_us}, not warned since it last had credit")
        if available > 0 or _forbidden(street, door, known, at_us, known_until, available):
            figures["false_cuts"] += 1
            broken.append(f"home {door.home.index}: cut at {at_us} was false (local {local})")
        truly = sum(p.amount_micro for p in door.paid if p.at_us <= at_us) - _cost(door, at_us)
        figures["unlucky_cuts"] += local and truly > 0
    figures["missed_cuts"] += _missed(street, door, topups, broken)
    figures["missed_warnings"] += _unwarned(street, door, topups, warned, broken)
    figures["restores_not_proven"] += _unproven(door)
    return leads_us


def _forgot(street: Street, door: Door, at_us: int) -> bool:
    """Whether the only memory of this instant was rolled back: its use is settled by the next register."""
    return forgets(scenario=street.scenario, gateway=door.home.gateway, at_us=at_us)


def _known_until(street: Street, door: Door, at_us: int, *, local: bool = False) -> int:
    """Until when the edge of a home knew of topups: the start of the outage it was in, or the copy it was given.

    `local`: it decided alone; at the tick of the line's return it had not heard yet.
    """
    for outage in street.scenario.outages:
        start, end = street.scenario.at_us(outage.start_tick), street.scenario.at_us(outage.end_tick)
        if outage.gateway == door.home.gateway and (start <= at_us < end or (local and at_us == end)):
            copied = copied_us(scenario=street.scenario, gateway=outage.gateway, at_us=at_us)
            return (start if copied is None else min(copied, start)) - 1
    return at_us


def _cost(door: Door, at_us: int) -> int:
    return door.costs.get(at_us, 0)


def _available(door: Door, topups: list[tuple[int, int]], at_us: int, known_until: int) -> int:
    return sum(amount for when, amount in topups if when <= known_until) - _cost(door, at_us)


def _story_us(door: Door, topups: list[tuple[int, int]]) -> int:
    """When the home's present story began: its newest credit that left something on the wallet.

    A coin paid into an empty wallet changes nothing: who was warned stays warned.
    """
    paid, began = 0, 0
    for when, amount in topups:
        paid += amount
        if paid > _cost(door, when):
            began = when
    return began


def _forbidden(
    street: Street, door: Door, topups: list[tuple[int, int]], at_us: int, known_until: int, available: int
) -> bool:
    """Whether a rule forbade a cut at an instant at which nothing was left.

    `topups` are those the decider knew of, `known_until` is when it last heard of any.
    """
    return (
        door.home.protected
        or (door.spared is not None and door.spared[0] <= at_us < door.spared[1])
        or _friendly(street, at_us)
        or _review_would_help(door, topups, at_us, known_until, available)
    )


def _review_would_help(
    door: Door, topups: list[tuple[int, int]], at_us: int, known_until: int, available: int
) -> bool:
    """Whether confirmed money of this home lay in review that would have kept its light on.

    It spares the home for three days, and no longer once it has paid again.
    """
    since = door.review_us
    return (
        since is not None
        and since <= known_until
        and since <= at_us <= since + REVIEW_SPARES_US
        and not any(since < when <= at_us for when, _ in topups)
        and available + door.review_micro > 0
    )


def _friendly(street: Street, at_us: int) -> bool:
    terms = street.scenario.terms
    local = street.tariff.local(at_us)
    if terms.friendly_weekends and local.weekday() >= 5:
        return True
    minute = local.hour * 60 + local.minute
    return any(start <= minute < end for start, end in terms.friendly)


def _missed(street: Street, door: Door, topups: list[tuple[int, int]], broken: list[str]) -> int:
    """Instants at which a cut was due and two later readings still show the relay closed.

    Due by the oracle alone: whether the product warned is judged elsewhere and excuses nothing here.
    """
    lies = {at_us for at_us, _ in door.account.refused}
    closed = {e.at_us: e.relay_closed for e in door.meter.emitted if e.at_us not in lies}
    missed = 0
    for at_us in sorted(door.costs):
        instants = (at_us, at_us + TICK_US, at_us + 2 * TICK_US)
        if at_us not in closed or not all(closed.get(t, False) for t in instants[1:]):
            continue
        known = [_known_until(street, door, t) for t in instants]
        if len({k == t for k, t in zip(known, instants, strict=True)}) != 1:
            continue  # the line came or went in between: nobody held all the facts
        due = all(
            _available(door, topups, t, k) <= 0
            and not _forbidden(
                street, door, [x for x in topups if x[0] <= k], t, k, _available(door, topups, t, k)
            )
            and _warning_due(street, door, topups, t, k) <= t - street.scenario.terms.warn_lead_us
            for t, k in zip(instants, known, strict=True)
        )
        if due:
            missed += 1
            broken.append(f"home {door.home.index}: a cut was due at {at_us} and did not come")
    return missed


def _warning_due(
    street: Street, door: Door, topups: list[tuple[int, int]], at_us: int, known_until: int
) -> int:
    """The first instant since the newest known credit at which the home was low by the money threshold."""
    newest = _story_us(door, [topup for topup in topups if topup[0] <= known_until])
    low = street.scenario.terms.low_micro
    lows = (
        t
        for t in sorted(door.costs)
        if newest <= t <= at_us and _available(door, topups, t, min(t, known_until)) < low
    )
    return next(lows, at_us)


def _unwarned(
    street: Street, door: Door, topups: list[tuple[int, int]], warned: list[int], broken: list[str]
) -> int:
    """Instants at which an empty home, read and online, had not been told since its newest credit."""
    lies = {at_us for at_us, _ in door.account.refused}
    read = {e.at_us for e in door.meter.emitted} - lies
    missed = 0
    for at_us in sorted(door.costs):
        if at_us not in read or _known_until(street, door, at_us) != at_us:
            continue
        newest = _story_us(door, [topup for topup in topups if topup[0] <= at_us])
        told = any(newest <= w <= at_us for w in warned)
        if not told and _available(door, topups, at_us, at_us) <= 0:
            missed += 1
            broken.append(f"home {door.home.index}: empty at {at_us} and nobody was warned")
    return missed


def _unproven(door: Door) -> int:
    """Restorations after which no reading showed the relay closed."""
    unproven = 0
    moves = [*door.meter.moves]
    for n, move in enumerate(moves):
        if move.closed:
            until = moves[n + 1].at_us if n + 1 < len(moves) else None
            proofs = (
                e.relay_closed and e.at_us >= move.at_us and (until is None or e.at_us <= until)
                for e in door.meter.emitted
            )
            unproven += not any(proofs)
    return unproven
