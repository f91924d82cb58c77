"""Knowing a book again after a start: configuration, caches, and every line the caches have not seen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from django.db import connection

from fairwatt.core.commands.model import OPEN_STATES, State
from fairwatt.core.credit.levels import low_threshold_micro
from fairwatt.core.credit.policy import CreditPolicy, policy_to_obj
from fairwatt.core.rating.scalar import opening_state
from fairwatt.core.units import US_PER_DAY, micro_from_minor
from fairwatt.flows.posting.book_state import (
    REGISTER,
    WALLET,
    BookState,
    Correcting,
    GatewayState,
    OpenOrder,
    Plan,
    Reviewed,
    register_key,
)
from fairwatt.flows.posting.clocks import ClockSeen
from fairwatt.flows.posting.configuring import Alarms, held_to_another, lent_to, owed_grants, read_policies
from fairwatt.flows.posting.correction_moves import corrections_of
from fairwatt.flows.posting.deciding import credit_levels
from fairwatt.flows.posting.leases_again import leases_of
from fairwatt.flows.posting.links import follow, lately_closed, left_wallets
from fairwatt.flows.posting.mass_cuts import remembered
from fairwatt.flows.posting.money import REVIEW_US
from fairwatt.flows.posting.plans import plans_of_book, values_of_homes
from fairwatt.flows.posting.site_ahead import SiteAhead
from fairwatt.store import changeovers, heads
from fairwatt.store.alarms import held_open
from fairwatt.store.caches import WITHHELD, cached_upto
from fairwatt.store.clocks import newest_clocks
from fairwatt.store.corrections import already_rated
from fairwatt.store.lets import contracts_of, spared_circuits
from fairwatt.store.models import (
    Book,
    Gateway,
    GatewayHead,
    Installation,
    Outbox,
    RegisterHead,
    Wallet,
    WalletHead,
)
from fairwatt.store.posting import make_partitions, take_book
from fairwatt.store.registers import estimates_of
from fairwatt.store.restore_codes import restored_until


def load_book(*, book: int, now_us: int) -> BookState:
    """Become the poster of a book and know everything about it. Fences any earlier poster.

    A tariff or a policy that cannot be read leaves its homes uncharged and uncut, and stops nobody else.
    """
    row = Book.objects.get(pk=book)
    make_partitions(from_us=now_us - 402 * US_PER_DAY, until_us=now_us + 62 * US_PER_DAY)
    epoch, last_batch = take_book(book=book)
    return _load(row, epoch, last_batch, cached_upto(book=book), now_us)


def reload_book(*, state: BookState, now_us: int) -> BookState:
    """Read configuration and heads again under the same fence, after the caches were flushed."""
    book = Book.objects.get(pk=state.book)
    fresh = _load(book, state.epoch, state.last_batch, state.last_batch, now_us)
    fresh.chaff, fresh.condemned = state.chaff, state.condemned
    fresh.listening_us = state.listening_us
    fresh.ahead = _still_ahead(state, fresh)
    fresh.owed |= held_to_another(before=state, now=fresh)
    return fresh


def _still_ahead(before: BookState, now: BookState) -> dict[int, SiteAhead]:
    """What was worked out ahead of corrections whose homes are priced as they were, and live where they lived."""
    known = {one.fact: one for one in before.correcting if one.fact in before.ahead}
    return {
        one.fact: before.ahead[one.fact]
        for one in now.correcting
        if one.fact in known
        and one.closed == known[one.fact].closed
        and _priced_alike(before, known[one.fact], now, one)
    }


def _priced_alike(before: BookState, known: Correcting, now: BookState, one: Correcting) -> bool:
    if known.moves.keys() != one.moves.keys():
        return False
    pairs = {ixs for home, move in one.moves.items() for ixs in zip(known.moves[home], move, strict=True)}
    return all(before.plans[was].schedule == now.plans[is_].schedule for was, is_ in pairs)


def _load(book: Book, epoch: int, last_batch: int, cached: int, now_us: int) -> BookState:
    alarms = Alarms(book=book.pk, now_us=now_us)
    homes, closed = _open_homes(book), lately_closed(book=book, now_us=now_us)
    values = values_of_homes(book, [*homes, *closed])
    plans, plan_ix = plans_of_book(book, alarms, [*homes, *closed], values)
    correcting = corrections_of(book, plans, plan_ix)
    credit = read_policies(book=book, alarms=alarms)
    wallets = _wallets(book, credit.index)
    wallet_ix = {int(w): n for n, w in enumerate(wallets["wallet"])}
    priced = {
        row.pk: plan_ix.get((row.plan_id, values.get(row.pk, ())), -1) for row in [*homes, *closed]
    } | _not_yet_corrected(book.pk, correcting)
    registers = _registers(book, homes, plans, priced, wallet_ix, now_us)
    ended = follow(registers=registers, closed=closed)
    _apply_lines(book.pk, cached, plans, registers, wallets)
    _thresholds(registers, wallets, plans, credit.policies)
    _quiet_again(wallets)
    _look_again(registers, wallets)
    _doubts(book.pk, registers)
    _estimated(book.pk, registers)
    gateways = _gateways(book, now_us)
    state = BookState(
        book=book.pk,
        currency=book.currency,
        minor_digits=book.minor_digits,
        zone=book.zone,
        epoch=epoch,
        last_batch=last_batch,
        registers=registers,
        wallets=wallets,
        policies=credit.policies,
        policy_objs=[policy_to_obj(policy) for policy in credit.policies],
        held=credit.held,
        plans=plans,
        gateways=gateways,
        gateway_ids={gateway.slug: pk for pk, gateway in gateways.items()},
        correcting=tuple(correcting),
        listening_us=now_us,
        closed_plan={row.pk: _priced(plans, priced[row.pk], row) for row in closed},
        ended_keys=ended,
        left=left_wallets(book=book.pk, wallet_ix=wallet_ix),
        contracts=contracts_of(book=book.pk, wallet_ix=wallet_ix),
    )
    _open_orders(state)
    _money_in_review(state, now_us)
    state.leases = leases_of(state=state, now_us=now_us)
    state.lent = lent_to(state=state)
    state.owed = owed_grants(state=state)
    state.alarms = alarms.rows
    state.mass_cuts = remembered(book=state.book, now_us=now_us)
    return state


def _money_in_review(state: BookState, now_us: int) -> None:
    waiting = heads.payments_in_review(book=state.book, since_us=now_us - REVIEW_US)
    for wallet, payments in waiting.items():
        ix = state.wallet_index.get(wallet)
        if ix is not None:
            state.in_review[ix] = [
                Reviewed(micro_from_minor(amount_minor=amount, minor_digits=state.minor_digits), at_us)
                for amount, at_us in payments
            ]


def _open_homes(book: Book) -> list[Installation]:
    return list(
        Installation.objects.filter(wallet__book=book, closed_us__isnull=True)
        .select_related("meter", "wallet")
        .order_by("wallet_id", "pk")
    )


def _not_yet_corrected(book: int, correcting: list[Correcting]) -> dict[int, int]:
    """{installation: plan index} of registers that a correction has not reached: they are charged as before."""
    waits: dict[int, int] = {}
    for one in correcting:
        with connection.cursor() as cursor:
            done = already_rated(cursor=cursor, book=book, publication=one.publication)
        waits |= {home: old_ix for home, (old_ix, _) in one.moves.items() if home not in done}
    return waits


def _wallets(book: Book, policy_ix: Mapping[int, int]) -> npt.NDArray[Any]:
    rows = list(Wallet.objects.filter(book=book).order_by("pk"))
    wallets = np.zeros(len(rows), dtype=WALLET)
    saved = {head.wallet: head for head in WalletHead.objects.filter(book=book.pk)}
    told = heads.told_wallets(book=book.pk, wallets=[row.pk for row in rows if row.pk not in saved])
    for n, row in enumerate(rows):
        wallets["wallet"][n] = row.pk
        wallets["policy_ix"][n] = policy_ix.get(row.pk, 0)
        wallets["protected"][n] = row.protected
        head = saved.get(row.pk)
        if head is not None:
            for name in (
                "balance_micro",
                "seq",
                "read_us",
                "level",
                "warned_us",
                "cut_by_credit",
            ):
                wallets[name][n] = getattr(head, name)
            wallets["withheld_ix"][n] = WITHHELD.index(head.withheld)
        elif row.pk in told:
            before = told[row.pk]
            wallets["cut_by_credit"][n], wallets["warned_us"][n] = before.cut_by_credit, before.warned_us
            wallets["level"][n], wallets["withheld_ix"][n] = before.level, WITHHELD.index(before.withheld)
    return wallets


def _registers(
    book: Book,
    rows: list[Installation],
    plans: list[Plan],
    priced: dict[int, int],
    wallet_ix: dict[int, int],
    now_us: int,
) -> npt.NDArray[Any]:
    registers = np.zeros(len(rows), dtype=REGISTER)
    saved = {head.installation: head for head in RegisterHead.objects.filter(book=book.pk)}
    held, feeders = held_open(book=book.pk), dict[tuple[int, str], int]()
    spared = spared_circuits(book=book.pk)
    restored = restored_until(book=book.pk, now_us=now_us)
    for n, row in enumerate(rows):
        meter = row.meter
        registers["installation"][n] = row.pk
        registers["key"][n] = register_key(gateway=meter.gateway_id, meter=meter.number)
        registers["meter"][n] = meter.number
        registers["gateway"][n] = meter.gateway_id
        registers["wallet_ix"][n] = wallet_ix[row.wallet_id]
        registers["plan_ix"][n] = _priced(plans, priced[row.pk], row)
        for name in ("modulus_wh", "resolution_wh", "max_power_w", "feeds_gateway"):
            registers[name][n] = getattr(meter, name)
        registers["ct_primary"][n], registers["ct_secondary"][n] = row.transformer
        registers["follows_us"][n] = row.opened_us
        registers["feeder_ix"][n] = feeders.setdefault((meter.gateway_id, meter.feeder), len(feeders))
        registers["spared_circuit"][n] = (meter.gateway_id, meter.number) in spared
        registers["safety_open"][n] = (meter.gateway_id, meter.number) in held
        registers["restored_until_us"][n] = restored.get((meter.gateway_id, meter.number), 0)
        _head(registers, n, row, saved.get(row.pk), plans)
    return registers


def _priced(plans: list[Plan], ix: int, row: Installation) -> int:
    """Index of the plan, or -1 when no version of it was in force when the installation opened."""
    if ix >= 0 and not plans[ix].schedule.covers(at_us=row.opened_us):
        return -1
    return ix


def _head(
    registers: npt.NDArray[Any], n: int, row: Installation, saved: RegisterHead | None, plans: list[Plan]
) -> None:
    registers["relay"][n] = 2
    if saved is not None:
        for name in (
            "at_us",
            "register_wh",
            "counter_wh",
            "window_us",
            "carry_nano",
            "carry_tax",
            "relay",
            "power_w",
            "voltage_dv",
        ):
            registers[name][n] = getattr(saved, name)
        return
    registers["at_us"][n], registers["register_wh"][n] = row.opened_us, row.opening_wh
    ix = int(registers["plan_ix"][n])
    if ix >= 0:
        state = opening_state(
            schedule=plans[ix].schedule,
            at_us=row.opened_us,
            register_wh=row.opening_wh,
            counter_wh=row.opening_counter_wh,
        )
        registers["counter_wh"][n], registers["window_us"][n] = state.counter_wh, state.window_us


def _apply_lines(
    book: int, after_batch: int, plans: list[Plan], registers: npt.NDArray[Any], wallets: npt.NDArray[Any]
) -> None:
    """Bring the heads up to the last line, whatever the caches had missed."""
    register_of = {int(r): n for n, r in enumerate(registers["installation"])}
    wallet_of = {int(w): n for n, w in enumerate(wallets["wallet"])}
    for wallet, seq, balance in heads.last_wallet_lines(book=book, after_batch=after_batch):
        n = wallet_of.get(wallet)
        if n is not None and seq > wallets["seq"][n]:
            wallets["seq"][n], wallets["balance_micro"][n] = seq, balance
    for line in heads.last_register_lines(book=book, after_batch=after_batch):
        n = register_of.get(line.installation)
        if n is None:
            continue
        if line.at_us > registers["at_us"][n]:
            registers["at_us"][n] = line.at_us
            ix = registers["wallet_ix"][n]
            wallets["read_us"][ix] = max(int(wallets["read_us"][ix]), line.at_us)
        if line.register_wh is not None:
            registers["register_wh"][n] = line.register_wh
        registers["counter_wh"][n] = line.counter_wh
        registers["carry_nano"][n], registers["carry_tax"][n] = line.carry_nano, line.carry_tax
        if line.window_us is not None:
            registers["window_us"][n] = line.window_us
        if registers["plan_ix"][n] < 0 or line.window_us is not None:
            continue
        at_us = int(registers["at_us"][n])
        table = plans[int(registers["plan_ix"][n])].table
        segment = table.locate(start_us=at_us - 1, end_us=at_us)[1]  # may grow the table: ask before looking
        registers["window_us"][n] = table.window_us[segment]


def _look_again(registers: npt.NDArray[Any], wallets: npt.NDArray[Any]) -> None:
    """Where a home was cut, trust no remembered relay: the cache may be older than the proof of the cut.

    A relay believed closed would call the cut void when credit comes, and leave a paid home dark.
    """
    registers["relay"][wallets["cut_by_credit"][registers["wallet_ix"]]] = 2


def _thresholds(
    registers: npt.NDArray[Any], wallets: npt.NDArray[Any], plans: list[Plan], policies: list[CreditPolicy]
) -> None:
    """Money thresholds per wallet: the policy's, or its energy threshold at the wallet's dearest price."""
    for n, policy_ix in enumerate(wallets["policy_ix"]):
        policy = policies[int(policy_ix)]
        wallets["low_micro"][n], wallets["critical_micro"][n] = policy.low_micro, policy.critical_micro
    for wallet_ix, plan_ix in zip(registers["wallet_ix"], registers["plan_ix"], strict=True):
        if plan_ix >= 0:
            low = low_threshold_micro(
                policy=policies[int(wallets["policy_ix"][wallet_ix])],
                dearest_micro_per_kwh=plans[int(plan_ix)].schedule.dearest_micro_per_kwh,
            )
            wallets["low_micro"][wallet_ix] = max(int(wallets["low_micro"][wallet_ix]), low)


def _quiet_again(wallets: npt.NDArray[Any]) -> None:
    """Events tell when somebody came nearer to the end, not always when he came away from it: balances do."""
    wallets["level"] = np.minimum(wallets["level"], credit_levels(wallets=wallets))
    wallets["withheld_ix"][wallets["balance_micro"] > 0] = 0


def _doubts(book: int, registers: npt.NDArray[Any]) -> None:
    """Registers whose newest word was quarantined: no reading has been believed since."""
    seen = heads.newest_quarantine(book=book)
    for n, (gateway, meter) in enumerate(zip(registers["gateway"], registers["meter"], strict=True)):
        registers["doubted"][n] = seen.get((int(gateway), int(meter)), 0) > registers["at_us"][n]


def _estimated(book: int, registers: npt.NDArray[Any]) -> None:
    """Registers that stand where an estimate left them, or began at one: no real reading was posted since."""
    installations = registers["installation"].tolist()
    with connection.cursor() as cursor:
        estimates = estimates_of(cursor=cursor, book=book, installations=installations)
        for installation, at_us in changeovers.guessed_openings(cursor=cursor, book=book):
            estimates.setdefault(installation, []).append(at_us)
    for n, (installation, at_us) in enumerate(zip(installations, registers["at_us"].tolist(), strict=True)):
        registers["estimated"][n] = at_us in estimates.get(installation, ())


def _gateways(book: Book, now_us: int) -> dict[int, GatewayState]:
    saved = {head.gateway: head for head in GatewayHead.objects.filter(book=book.pk)}
    clocks = newest_clocks(book=book.pk)
    gateways = {}
    for row in Gateway.objects.filter(site__book=book).select_related("site"):
        state = GatewayState(
            gateway=row.pk, site=row.site.slug, slug=row.slug, public_key=bytes(row.public_key)
        )
        if row.pk in saved:
            head = saved[row.pk]
            state.epoch, state.seq, state.heard_us = head.epoch, head.seq, head.heard_us
        if row.pk in clocks:
            state.clock = ClockSeen.read_again(ahead_us=clocks[row.pk], now_us=now_us)
        gateways[row.pk] = state
    return gateways


def _open_orders(state: BookState) -> None:
    index = {int(key): n for n, key in enumerate(state.registers["key"])}
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT gateway, meter, max(seq) FROM outbox WHERE book = %s GROUP BY 1, 2", [state.book]
        )
        for gateway, meter, seq in cursor.fetchall():
            n = index.get(register_key(gateway=int(gateway), meter=int(meter)))
            if n is not None:
                state.registers["order_seq"][n] = seq
    for row in Outbox.objects.filter(book=state.book, state__in=OPEN_STATES).order_by("pk"):
        n = index.get(register_key(gateway=row.gateway, meter=row.meter))
        if n is not None:
            state.orders[n] = OpenOrder(
                outbox=row.pk,
                seq=row.seq,
                relay=row.relay,
                state=State(row.state),
                payload=bytes(row.payload),
                expires_us=row.expires_us,
                reason=row.reason,
                fact=row.fact,
                accepted_seq=row.accepted_seq or 0,
            )
