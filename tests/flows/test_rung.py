"""A telephone that is asked for its PIN is rung by whoever typed its number: so often, and no more."""

from __future__ import annotations

from typing import Any

from support.house import as_role
from support.till import Till, at

MINUTE_US = 60_000_000


@at("mpesa")
def test_nobody_rings_a_strangers_telephone_without_end(till: Till) -> None:
    from fairwatt.core.notices.pacing import TooOften
    from fairwatt.flows.merchants import Offer
    from fairwatt.flows.start_top_up import Payer, start_top_up
    from fairwatt.payments.contract import Method
    from fairwatt.store.models import PaymentIntent, User

    with as_role("migrate"):
        people = [
            User.objects.create_user(f"ringer-{till.desk.street.book}-{n}", None, "x") for n in range(2)
        ]

    def ring(who: Any, number: str, at_us: int) -> bool:
        offer = Offer(account=till.account, provider="mpesa", method=Method.PUSH, label="")
        try:
            with as_role("web"):
                start_top_up(
                    wallet_id=till.desk.street.wallets[0],
                    amount_minor=100,
                    provider="",
                    user_id=who.pk,
                    now_us=at_us,
                    offer=offer,
                    payer=Payer(payer=number),
                )
        except TooOften:
            return False
        return True

    # Telephones that no other test rings: a number is counted wherever it was typed.
    now_us, mine_alone = till.clock.us, f"2547{till.desk.street.book % 10**6:06d}"
    tried = [ring(people[n % 2], f"{mine_alone}99", now_us + n * MINUTE_US) for n in range(30)]
    assert tried[:2] == [True, True]
    assert sum(tried) == 6, "however many people ring it"
    tried = [ring(people[0], f"{mine_alone}{n:02d}", now_us + n * MINUTE_US) for n in range(30)]
    assert sum(tried) < 12, "however many telephones one person rings"
    mine = PaymentIntent.objects.filter(book=till.desk.street.book)
    assert mine.count() == 6 + sum(tried), "what was refused left nothing behind"
