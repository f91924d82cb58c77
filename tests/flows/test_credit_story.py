"""Any sequence of readings, payments, protections and loans: no false cut, none without a warning, none missed.

The real poster on a real database, driven by a state machine; what became durable is judged.
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from fairwatt.server.launcher.services import Services
from support import credit
from support.desk import Desk
from support.house import as_role
from support.laws import check_laws
from support.street import DAY_US, FLAT, HOUR_US, NOON_US, POLICY, Street, reading

MONEY = st.integers(1, 9).map(lambda n: n * 100)


class CreditStory(RuleBasedStateMachine):
    """Two homes, one of which may be protected; time goes on by hours, each with a reading or without one."""

    @initialize()
    def open(self) -> None:
        self.street = Street(tariff=FLAT)
        self.people = [credit.person(self.street, name) for name in ("ann", "bob")]
        credit.rule(
            self.street,
            self.people[0],
            role="migrate",
            body=credit.document('emergency: {amount: "2", offered_below: "1", automatic: false}'),
        )
        self.role = as_role("poster")
        self.role.__enter__()
        self.desk = Desk(self.street)
        self.desk.open()
        self.meters = [self.desk.home() for _ in range(2)]
        self.now_us, self.used = NOON_US, [0, 0]
        self.closed = [True, True]
        self.at_zero = [0, 0]
        self.protected: list[Any] = [None, None]
        self.seen = 0

    @rule(home=st.integers(0, 1), kwh=st.integers(0, 12))
    def uses(self, home: int, kwh: int) -> None:
        self.now_us += HOUR_US
        if self.closed[home]:
            self.used[home] += kwh * 1_000
        frame = self.street.readings(
            *[
                reading(m, self.now_us, wh, closed=closed)
                for m, wh, closed in zip(self.meters, self.used, self.closed, strict=True)
            ]
        )
        self.desk.post(frame, now_us=self.now_us)
        self._obey()
        self._judge()

    @rule(home=st.integers(0, 1), minor=MONEY)
    def pays(self, home: int, minor: int) -> None:
        self.desk.pay(self.meters[home], minor, now_us=self.now_us)
        self.desk.post(now_us=self.now_us)
        self._obey()
        self._judge()

    @rule(home=st.integers(0, 1))
    def borrows(self, home: int) -> None:
        from django.db import connection, transaction

        from fairwatt.flows.borrow import ask_for

        with as_role("web"), transaction.atomic(), connection.cursor() as cursor:
            ask_for(
                cursor=cursor, book=self.street.book, wallet=self.street.wallets[home],
                after=self.now_us, author=None, now_us=self.now_us,
            )  # fmt: skip
        self.desk.post(now_us=self.now_us)
        self._obey()
        self._judge()

    @precondition(lambda self: self.protected[1] is None)
    @rule()
    def protects(self) -> None:
        self.protected[1] = credit.rule(
            self.street, self.people[0], "protection", now_us=self.now_us,
            wallet=self.street.wallets[1], until_us=self.now_us + 300 * DAY_US,
        )  # fmt: skip
        self._reload()

    @precondition(lambda self: self.protected[1] is not None)
    @rule()
    def ends_the_protection(self) -> None:
        written, self.protected[1] = self.protected[1], None
        for person, step in zip(self.people, ("ask_end", "end"), strict=True):
            credit.step(self.street, person, written, step, now_us=self.now_us)
        self._reload()

    @rule(hours=st.integers(3, 12))
    def is_silent(self, hours: int) -> None:
        self.now_us += hours * HOUR_US

    @invariant()
    def laws_hold(self) -> None:
        if hasattr(self, "desk"):
            check_laws(self.street.book, acked=self.desk.acked)

    def teardown(self) -> None:
        if hasattr(self, "role"):
            self.role.__exit__(None, None, None)

    def _reload(self) -> None:
        from fairwatt.flows.posting.loading import reload_book
        from support.costs import flush

        result = self.desk.post(now_us=self.now_us)
        flush(self.desk, self.now_us)
        self.desk.state = reload_book(state=self.desk.state, now_us=self.now_us)
        self.desk.post(now_us=self.now_us, regrant=result.regrant)
        self._obey()
        self._judge()

    def _obey(self) -> None:
        """The gateway does what was ordered last of each meter, and the meter shows it in the next reading."""
        for order in self.desk.orders():
            if order.state in ("queued", "sent") and order.relay != 2:
                self.closed[self.meters.index(order.meter)] = order.relay == 1
                self.desk.post(self.desk.receipt(order, at_us=self.now_us), now_us=self.now_us)

    def _judge(self) -> None:
        events = self.desk.events()
        for event in [event for event in events if event.id > self.seen and event.kind == "supply.cut"]:
            home = self.street.wallets.index(event.wallet)
            assert event.evidence["available_micro"] <= 0, "no cut with credit left"
            assert self.protected[home] is None, "no cut of a protected person"
            story = [e for e in events if e.wallet == event.wallet and e.id < event.id]
            fresh = [e.id for e in story if e.kind in ("payment.credited", "emergency.lent", "credit.recovered")
                     and int(e.evidence.get("available_micro", 1)) > 0]  # fmt: skip
            warned = [
                e.at_us for e in story if e.kind.startswith("warning.") and e.id > max(fresh, default=0)
            ]
            assert warned, "no cut without a warning"
            assert min(warned) + POLICY.warn_lead_us <= event.at_us, "time to act on it"
        self.seen = max([event.id for event in events], default=0)
        self._none_is_missed()

    def _none_is_missed(self) -> None:
        """Two readings by day at zero, long after the warning, and the relay is told to open."""
        state = self.desk.state
        for home, wallet in enumerate(self.street.wallets):
            head = state.wallets[state.wallet_index[wallet]]
            fresh = self.now_us - int(head["read_us"]) <= POLICY.stale_after_us
            due = (
                int(head["balance_micro"]) <= 0
                and int(head["warned_us"])
                and self.now_us >= int(head["warned_us"]) + POLICY.warn_lead_us
                and not POLICY.friendly_at(at_us=self.now_us)
                and self.protected[home] is None
                and fresh
            )
            self.at_zero[home] = self.at_zero[home] + 1 if due else 0
            assert self.at_zero[home] <= 2 or not self.closed[home], f"home {home} should be off"


@pytest.mark.parametrize("examples", [6])
def test_no_sequence_of_events_cuts_falsely_unwarned_or_too_late(house: Services, examples: int) -> None:
    run_state_machine_as_test(
        CreditStory,
        settings=settings(
            max_examples=examples,
            stateful_step_count=25,
            deadline=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
        ),
    )
