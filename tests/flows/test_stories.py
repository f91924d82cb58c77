"""Whatever comes after what: the lines of a home are what rating its readings from scratch gives, and nothing is given
back twice.

Readings in time and late, top-ups, estimates of a silent meter, real readings that contradict them, edits, tariffs
corrected in the past, rulings, posters that start anew: drawn in any order, each in a batch of its own or together with
the next. At the end the laws and the oracle (support/laws.py), every explanation, the replay and the refunds must hold.
"""

from __future__ import annotations

import json
from collections import defaultdict

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from fairwatt.server.launcher.services import Services
from flows.test_explain import explained, replayed
from support.corrections import confirm, edit, place
from support.disputes import Case, doubting
from support.house import as_role
from support.laws import emitted
from support.street import DAY_US, HOUR_US, NOON_US, TARIFF, Street, reading

MINUTE_US = HOUR_US // 60
TEXTS = (
    TARIFF,
    TARIFF.replace("0.20", "0.29").replace("counter: month", "counter: year"),
    TARIFF.replace('"0.25"', '"0.10"').replace('percent: "5"', 'percent: "20"'),
    TARIFF.replace("blocks_kwh: [100]", "blocks_kwh: [12]"),
)
share = st.integers(0, 1_000)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("read"), st.integers(10, 900), st.integers(0, 9_000)),
        st.tuples(st.just("silence"), st.integers(1, 3), st.integers(1, 4_000)),
        st.tuples(st.just("late"), share, share),
        st.tuples(st.just("edit"), share, share),
        st.tuples(st.just("strike"), share, st.just(0)),
        st.tuples(st.just("tariff"), st.integers(0, len(TEXTS) - 1), st.just(0)),
        st.tuples(st.just("ruling"), share, st.integers(1, 100)),
        st.tuples(st.just("pay"), st.integers(1, 900), st.just(0)),
        st.tuples(st.just("restart"), st.just(0), st.just(0)),
    ).flatmap(lambda step: st.tuples(st.just(step), st.booleans())),
    min_size=3,
    max_size=14,
)


class Story:
    """A home that things happen to."""

    def __init__(self, case: Case) -> None:
        self.case, self.desk, self.meter = case, case.desk, case.meter
        self.at_us, self.wh = NOON_US + HOUR_US, 5_000
        self.frames: list[tuple[str, bytes]] = []

    def do(self, step: tuple[str, int, int], *, at_once: bool) -> None:
        name, one, other = step
        getattr(self, name)(one, other)
        if at_once:
            self.post()

    def post(self) -> None:
        frames, self.frames = self.frames, []
        self.case.now_us = max(self.case.now_us + 1, self.at_us)
        if self.desk.post(*frames, now_us=self.case.now_us).reload:
            self.restart(0, 0)

    def known(self) -> list[tuple[int, int]]:
        (home,) = emitted(self.desk.street.book)
        return home

    def between(self, one: int, other: int) -> tuple[int, int] | None:
        """An instant between two readings, and a register that fits there."""
        known = self.known()
        if len(known) < 2:
            return None
        place = one % (len(known) - 1)
        (start, low), (end, high) = known[place : place + 2]
        at = start + (end - start) * (1 + other % 9) // 10
        return at, low + (high - low) * other // 1_000

    def read(self, minutes: int, watts: int) -> None:
        self.at_us += minutes * MINUTE_US
        self.wh += minutes * watts // 60
        self.frames.append(self.desk.street.readings(reading(self.meter, self.at_us, self.wh)))

    def silence(self, days: int, watts: int) -> None:
        """The meter is silent, somebody approves what it may have used, and it goes on as it really was."""
        self.post()
        from_us, from_wh = self.known()[-1] if self.known() else (NOON_US, 0)
        to_us = from_us + days * DAY_US
        self.at_us = max(self.at_us, to_us + MINUTE_US)
        self.case.now_us = max(self.case.now_us, self.at_us)
        self._approve(from_us, from_wh, to_us, days * 24 * watts)
        self.wh += days * 24 * 700

    def _approve(self, from_us: int, from_wh: int, to_us: int, wh: int) -> None:
        from django.db import connection, transaction

        from fairwatt.store import facts
        from fairwatt.store.models import EstimateApproval, Meter

        book = self.desk.street.book
        with as_role("web"), transaction.atomic(), connection.cursor() as cursor:
            facts.see_book(cursor=cursor, book=book)
            row = EstimateApproval.objects.create(
                book=book,
                meter=Meter.objects.get(number=self.meter, gateway=self.desk.street.gateway).pk,
                installation=self.desk.street.installations[0],
                from_us=from_us,
                to_us=to_us,
                from_wh=from_wh,
                wh=wh,
                method="profile",
                reason="silent",
                author=self.case.clerk.pk,
                made_us=self.case.now_us,
            )
            facts.add(
                cursor=cursor,
                book=book,
                kind="estimate",
                natural_key=f"estimate:{row.pk}",
                wallet=self.case.wallet,
                payload={"approval": row.pk, "person": "clerk"},
                raw=b"",
                now_us=self.case.now_us,
            )

    def late(self, one: int, other: int) -> None:
        if found := self.between(one, other):
            self.frames.append(self.desk.street.readings(reading(self.meter, *found), clock_us=self.at_us))

    def edit(self, one: int, other: int) -> None:
        known = self.known()
        place = one % len(known)
        low = known[place - 1][1] if place else 0
        high = known[place + 1][1] if place + 1 < len(known) else known[place][1]
        edit(self.desk, known[place][0], low + (high - low) * other // 1_000, now_us=self.case.now_us)

    def strike(self, one: int, _: int) -> None:
        known = self.known()
        edit(self.desk, known[one % len(known)][0], None, now_us=self.case.now_us)

    def tariff(self, text: int, _: int) -> None:
        from fairwatt.flows.correct_tariff import CannotPlace

        try:
            confirm(self.desk.street, place(self.desk.street, TEXTS[text]))
        except CannotPlace:
            pass  # it says that already

    def ruling(self, one: int, percent: int) -> None:
        from fairwatt.store.models import DisputeEntry

        took = [line for line in self.desk.lines() if line.amount_micro < 0]
        line = took[one % len(took)]
        opened = self.case.open(line_seq=line.seq)
        if not DisputeEntry.objects.filter(dispute=opened).exists():
            self.case.rule(opened, max(1, -line.amount_micro * percent // 100))
            self.case.answer(opened)

    def pay(self, minor: int, _: int) -> None:
        self.desk.pay(self.meter, minor, now_us=self.case.now_us)

    def restart(self, _: int, __: int) -> None:
        self.desk.open(now_us=self.case.now_us)

    def end(self) -> None:
        """Batches until nothing waits."""
        from fairwatt.store.models import Fact

        for _ in range(60):
            self.post()
            if not Fact.objects.filter(book=self.desk.street.book, state="waiting").exists():
                return
        raise AssertionError("some facts are never answered")


def owed_back(book: int) -> int:
    """What rulings say less what corrections of the same day gave back, from the ledger alone."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT f.result, d.line_ref, d.line_kind, d.line_seq, d.line_ts_us FROM fact f JOIN store_dispute d "
            "ON d.id::text = f.result->>'case' WHERE f.book = %s AND f.kind = 'adjustment' AND f.state = 'posted' "
            "AND f.result ? 'ruling'",
            [book],
        )
        rulings = [(json.loads(r[0]) if isinstance(r[0], str) else r[0], *r[1:]) for r in cursor.fetchall()]
        cursor.execute(
            "SELECT c.day_us, c.seq, c.ts_us, l.amount_micro FROM correction c JOIN line l ON l.book = c.book "
            "AND l.wallet = c.wallet AND l.seq = c.seq WHERE c.book = %s",
            [book],
        )
        corrections = cursor.fetchall()
    days = {(seq, ts_us): day for day, seq, ts_us, _ in corrections}
    ruled: dict[tuple[int, int], int] = defaultdict(int)
    rightly = 0
    for result, _, kind, seq, ts_us in rulings:
        if kind == 6:
            rightly += result["ruled_micro"]  # what was taken back of a refund; no correction speaks of it
            continue
        charge = (days[seq, ts_us], seq) if kind == 3 else (london_day(ts_us - 1), 0)
        ruled[charge] += result["ruled_micro"]
    return rightly + sum(
        max(0, micro - max(0, sum(amount for at, seq, _, amount in corrections if at == day and seq > after)))
        for (day, after), micro in ruled.items()
    )


def london_day(at_us: int) -> int:
    """Midnight in London in summer."""
    return (at_us + HOUR_US) // DAY_US * DAY_US - HOUR_US


@settings(
    max_examples=5,
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
    suppress_health_check=[HealthCheck.too_slow],
)
@given(steps=steps)
def test_any_story_ends_where_rating_from_scratch_would_and_gives_nothing_back_twice(
    house: Services, steps: list[tuple[tuple[str, int, int], bool]]
) -> None:
    with doubting(Street(tariff=TEXTS[0])) as case:
        story = Story(case)
        for step, at_once in steps:
            story.do(step, at_once=at_once)
        story.end()
        desk = case.desk
        for account in explained(desk):
            assert account.differences == (), f"{account.id} {account.what}"
        replay = replayed(desk)
        assert replay.slips == []
        assert replay.balance_micro == desk.balance(case.meter)
        given = sum(line.amount_micro for line in desk.lines() if line.kind == 6)
        assert given == owed_back(desk.street.book)
