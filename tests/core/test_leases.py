"""Leases: one wallet's credit, used once, although its gateways cannot ask each other."""

from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairwatt.core.credit.leases import (
    COARSE_MICRO,
    LEAST_PART,
    WHOLE_PPM,
    Lease,
    MeterLeases,
    fair_shares,
    next_leases,
    part_of,
    to_renew,
)
from fairwatt.core.credit.policy import CreditPolicy

DAY_US = 86_400_000_000
METERS = (1, 2, 3)


@dataclass
class Gateway:
    """One meter's gateway: obeys the newest order that reached it, and uses no more than its lease."""

    online: bool = True
    order: int = 0
    left_micro: int = 0
    unsaid_micro: int = 0
    waiting: list[Lease] = field(default_factory=list)


@dataclass
class World:
    """A wallet, three gateways, and orders, receipts and readings that travel only while the line is up."""

    balance_micro: int = 0
    seq: int = 0
    paid_micro: int = 0
    truly_used_micro: int = 0
    leases: dict[int, MeterLeases] = field(default_factory=lambda: {n: MeterLeases() for n in METERS})
    gateways: dict[int, Gateway] = field(default_factory=lambda: {n: Gateway() for n in METERS})

    def pay(self, amount_micro: int) -> None:
        self.balance_micro += amount_micro
        self.paid_micro += amount_micro
        self.order(set(METERS))

    def take(self, amount_micro: int) -> None:
        """A fee, or a refund: credit goes that no meter used."""
        amount_micro = min(amount_micro, self.balance_micro)
        self.balance_micro -= amount_micro
        self.paid_micro -= amount_micro
        self.order(to_renew(available_micro=self.balance_micro, meters=self.leases))

    def use(self, meter: int, wanted_micro: int) -> None:
        gateway = self.gateways[meter]
        used = min(wanted_micro, max(0, gateway.left_micro))
        gateway.left_micro -= used
        gateway.unsaid_micro += used
        self.truly_used_micro += used

    def order(self, meters: set[int]) -> None:
        granted = next_leases(available_micro=self.balance_micro, meters=self.leases)
        for meter in sorted(meters):
            self.seq += 1
            amount = granted[meter].granted_micro
            lease = Lease(self.seq, self.seq, amount, amount)
            self.leases[meter] = self.leases[meter].gave(lease)
            self.gateways[meter].waiting.append(lease)

    def talk(self, meter: int, *, delivered: int) -> None:
        """The line is up for a moment: what was used is told, and of the orders under way so many arrive."""
        gateway = self.gateways[meter]
        for lease in gateway.waiting[:delivered]:
            # Counted from the state that the server had: what it has not heard of is taken off.
            gateway.order, gateway.left_micro = lease.seq, lease.left_micro - gateway.unsaid_micro
        del gateway.waiting[:delivered]
        self.balance_micro -= gateway.unsaid_micro
        self.leases[meter] = self.leases[meter].charged(at_us=self.seq, amount_micro=gateway.unsaid_micro)
        # An order under way was made before this was heard; it counts from its own state.
        gateway.waiting = [
            one._replace(left_micro=one.left_micro - gateway.unsaid_micro) for one in gateway.waiting
        ]
        gateway.unsaid_micro = 0
        self.leases[meter] = self.leases[meter].taken(seq=gateway.order)
        self.order(to_renew(available_micro=self.balance_micro, meters=self.leases))


steps = st.lists(
    st.one_of(
        st.tuples(st.just("pay"), st.sampled_from(METERS), st.integers(0, 20_000_000)),
        st.tuples(st.just("use"), st.sampled_from(METERS), st.integers(0, 20_000_000)),
        st.tuples(st.just("talk"), st.sampled_from(METERS), st.integers(0, 3)),
    ),
    max_size=60,
)


@settings(max_examples=300)
@given(steps)
def test_the_same_money_is_never_used_twice_whoever_is_away_and_whatever_arrives(
    story: list[tuple[str, int, int]],
) -> None:
    world = World()
    for what, meter, number in story:
        if what == "pay":
            world.pay(number)
        elif what == "use":
            world.use(meter, number)
        else:
            world.talk(meter, delivered=number)
        held = sum(leases.held_micro for leases in world.leases.values())
        assert held <= max(0, world.balance_micro), "more is leased than there is"
        assert all(
            max(0, gateway.left_micro) + gateway.unsaid_micro <= world.leases[n].held_micro
            for n, gateway in world.gateways.items()
        ), "a gateway may use more than the server knows of"
        assert world.truly_used_micro <= world.paid_micro
    for _ in range(4):
        for meter in METERS:
            world.talk(meter, delivered=1_000)
    assert world.balance_micro == world.paid_micro - world.truly_used_micro
    for n, gateway in world.gateways.items():
        assert gateway.left_micro == world.leases[n].newest_micro, "both count the same"
    if world.balance_micro > 100 * COARSE_MICRO:
        fair = fair_shares(available_micro=world.balance_micro, meters=world.leases)
        for n, gateway in world.gateways.items():
            assert gateway.left_micro * 2 + 2 * COARSE_MICRO >= fair[n].granted_micro, "nobody stays short"


@given(
    st.integers(-(10**9), 10**12),
    st.dictionaries(st.integers(1, 9), st.integers(0, 10**10), min_size=2, max_size=6),
)
def test_fair_parts_are_all_of_the_credit_and_follow_use(credit: int, use: dict[int, int]) -> None:
    meters = {n: MeterLeases().charged(at_us=0, amount_micro=micro) for n, micro in use.items()}
    shares = fair_shares(available_micro=credit, meters=meters)
    assert sum(share.granted_micro for share in shares.values()) == max(0, credit)
    assert sum(share.part_ppm for share in shares.values()) <= WHOLE_PPM
    by_use = sorted(use, key=lambda n: (use[n], shares[n].part_ppm))
    parts = [shares[n].part_ppm for n in by_use]
    assert parts == sorted(parts)
    assert min(parts) >= WHOLE_PPM // (LEAST_PART * 2), "who used nothing may be at home today"


def test_who_used_five_times_as_much_is_leased_five_times_as_much() -> None:
    meters = {
        1: MeterLeases().charged(at_us=0, amount_micro=5_000_000),
        2: MeterLeases().charged(at_us=0, amount_micro=1_000_000),
    }
    shares = fair_shares(available_micro=12_000_000, meters=meters)
    assert [shares[n].granted_micro for n in (1, 2)] == [10_000_000, 2_000_000]
    assert [shares[n].part_ppm for n in (1, 2)] == [833_333, 166_666]


@given(
    st.integers(1, 50_000_000),
    st.lists(st.tuples(st.sampled_from(METERS), st.integers(0, 9_000_000))),
    st.data(),
)
def test_when_credit_is_taken_away_gateways_that_hear_it_hold_no_more_than_is_left(
    paid: int, used: list[tuple[int, int]], data: st.DataObject
) -> None:
    world = World()
    world.pay(paid)
    for meter in METERS:
        world.talk(meter, delivered=1_000)
    for meter, micro in used:
        world.use(meter, micro)
        world.talk(meter, delivered=1_000)
    world.take(data.draw(st.integers(0, world.balance_micro)))
    for _ in range(3):
        for meter in METERS:
            world.talk(meter, delivered=1_000)
    left = sum(max(0, gateway.left_micro) for gateway in world.gateways.values())
    assert left <= world.balance_micro + COARSE_MICRO * (1 + len(METERS))
    before = world.seq
    for meter in METERS:
        world.talk(meter, delivered=1_000)
    assert world.seq == before, "nobody is asked twice for the same"


def test_use_is_forgotten_after_a_week() -> None:
    leases = MeterLeases().charged(at_us=0, amount_micro=5).charged(at_us=6 * DAY_US, amount_micro=7)
    assert leases.used_micro == 12
    assert leases.charged(at_us=7 * DAY_US, amount_micro=0).used_micro == 7


def test_credit_is_taken_back_from_a_lease_only_once_a_smaller_one_is_taken() -> None:
    meters = {
        1: MeterLeases((Lease(1, 0, 9_000_000, 9_000_000),)),
        2: MeterLeases((Lease(1, 0, 1_000_000, 100_000),)),
    }
    assert to_renew(available_micro=9_100_000, meters=meters) == {1}, "1 gives back first"
    granted = next_leases(available_micro=9_100_000, meters=meters)
    assert granted[1].granted_micro == 4_550_000
    assert granted[2].granted_micro == 100_000, "nothing is free yet"
    meters[1] = meters[1].gave(Lease(2, 1, 4_550_000, 4_550_000))
    assert to_renew(available_micro=9_100_000, meters=meters) == set(), "asked once"
    meters[1] = meters[1].taken(seq=2)
    assert to_renew(available_micro=9_100_000, meters=meters) == {2}
    assert next_leases(available_micro=9_100_000, meters=meters)[2].granted_micro == 4_550_000


def test_what_may_be_in_force_is_bounded_and_never_forgets_the_largest() -> None:
    leases = MeterLeases((Lease(1, 0, 50, 50),))
    for seq in range(2, 100):
        leases = leases.gave(Lease(seq, 0, seq % 7, seq % 7))
    assert len(leases.given) <= 16
    assert leases.held_micro == 50
    assert leases.newest_micro == 99 % 7


POLICY = CreditPolicy(
    zone="Europe/London",
    low_micro=2_000_000,
    low_wh=12_000,
    critical_micro=500_000,
    friendly=(),
    friendly_weekends=False,
    warn_lead_us=1,
    stale_after_us=1,
    max_debt_micro=4_000_000,
    steps=((1_000_000, 2_000), (3, 500)),
)


@pytest.mark.parametrize(("owed", "debt"), [(0, 1_000_000), (1_000_000, 750_000), (5_000_000, 0)])
def test_levels_steps_and_debt_shrink_with_the_part(owed: int, debt: int) -> None:
    part = part_of(POLICY, part_ppm=250_000, owed_micro=owed)
    assert (part.low_micro, part.low_wh, part.critical_micro) == (500_000, 3_000, 125_000)
    assert part.steps == ((250_000, 2_000),)
    assert part.max_debt_micro == debt
    assert part_of(POLICY, part_ppm=WHOLE_PPM, owed_micro=0) == POLICY
