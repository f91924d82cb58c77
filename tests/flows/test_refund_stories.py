"""Whatever comes after what: wallet, liability and the provider's own truth agree, to the micro-unit.

Payments, use, refunds whole and in parts, made at the desk and in the provider's back office, callbacks doubled and
late, gateways that give credit back or let it be used first, refunds that bounce, collectors that die: in any order.
"""

from __future__ import annotations

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from fairwatt.server.launcher.services import Services
from fairwatt.simulate.paysim import PaySim
from support.desk import opened_desk
from support.laws import check_laws
from support.refunds import Office
from support.street import HOUR_US, NOON_US, Street
from support.till import CURRENCY, Dead, HandClock, dies, open_till

amount = st.integers(1, 1_500)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("pay"), st.integers(100, 1_500)),
        st.tuples(st.just("use"), st.integers(100, 9_000)),
        st.tuples(st.just("refund"), amount),
        st.tuples(st.just("refund"), amount),
        st.tuples(st.just("back_office"), amount),
        st.tuples(st.just("recall"), st.integers(0, 3_000)),
        st.tuples(st.just("recall"), st.just(0)),
        st.tuples(st.just("ask"), st.integers(0, 90)),
        st.tuples(st.just("die"), st.just(0)),
        st.tuples(st.just("bounce"), st.integers(0, 1)),
        st.tuples(st.just("callbacks"), st.integers(1, 3)),
    ),
    min_size=4,
    max_size=12,
)


class Story:
    """A home, its shop, and people who give and take."""

    def __init__(self, office: Office) -> None:
        self.office, self.till = office, office.till

    def pay(self, minor: int) -> None:
        self.office.paid(minor)

    def use(self, wh: int) -> None:
        self.office.use(wh)

    def refund(self, minor: int) -> None:
        most = self.office.look().most_minor
        if most:
            for one in self.office.ask(min(minor, most)):
                self.office.answer(one, "approve")
            self.till.post()

    def back_office(self, minor: int) -> None:
        paid = [one for one in self.till.world.books.payments(self.till.shop) if not one.refunds]
        for one in paid[:1]:
            self.till.world.give_back(one, amount_minor=min(minor, one.settled_minor))

    def recall(self, wh: int) -> None:
        self.office.recall(wh=wh)

    def ask(self, after_s: int) -> None:
        self.office.go(after_s=after_s)

    def die(self, _: int) -> None:
        from fairwatt.flows import collect_refunds

        kept = collect_refunds.note_refund
        try:
            collect_refunds.note_refund = dies
            self.till.ask()
        except Dead:
            pass
        finally:
            collect_refunds.note_refund = kept

    def bounce(self, on: int) -> None:
        self.till.world.faults.set(refund_abnormal=bool(on))

    def callbacks(self, times: int) -> None:
        self.till.deliver_due(times=times)
        self.till.post()

    def end(self) -> None:
        """Everybody who is asked answers, until nothing is on its way."""
        for n in range(6):
            self.recall(0)
            self.till.deliver_due(times=2)
            self.ask(70 * (n + 1))


@given(steps)
@settings(
    max_examples=12,
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_wallet_liability_and_provider_agree_whatever_happens(
    house: Services, clock: HandClock, sim: PaySim, drawn: list[tuple[str, int]]
) -> None:
    clock.us = NOON_US + HOUR_US
    sim.world.sendings.clear()
    with opened_desk(Street(currency=CURRENCY["wechat"])) as desk:
        desk.home()
        with open_till(desk, "wechat", clock, sim) as till:
            office = Office(till)
            story = Story(office)
            story.pay(1_000)
            for name, value in drawn:
                getattr(story, name)(value)
            story.end()
            sim.world.faults.set(refund_abnormal=False)
            office.agree()
            check_laws(desk.street.book, acked=desk.acked)
            assert not {"approved", "submitted"} & set(office.states()), "nothing is left half done"
            owed = [one for one in office.states() if one == "abnormal"]
            assert bool(owed) == bool(office.account("payable:refunds"))
