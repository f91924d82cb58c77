"""A refund of a home behind two gateways: what lies at one that is away is not refunded, for it may be used there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fairwatt.server.launcher.services import Services
from support.house import as_role
from support.laws import check_laws
from support.moves import clerk_of
from support.two_gateways import MICRO_PER_WH, a_home

HOUR_STEPS = 13


def test_credit_leased_to_a_silent_gateway_stays_there(house: Services, tmp_path: Path) -> None:
    with a_home(folder=tmp_path) as home:
        home.pay(2_000)
        home.step(100, 100)
        home.line(1, up=False)
        for _ in range(HOUR_STEPS):
            home.step(10, 0)
        far = home.sides[1].left_micro(home.wallet)
        assert far is not None and far > 1_000_000
        before = home.balance_micro
        refund = _agreed(home, before // 10_000)
        home.step(0, 0)
        assert refund().state == "approved"
        assert before - home.balance_micro <= before - far, "what the silent gateway holds is not refunded"
        for _ in range(2):
            home.step(0, 300)
            _calendar(home)
        assert refund().state == "approved", "it waits for the silent gateway, and is paid to nobody"
        home.line(1, up=True)
        for _ in range(6):
            home.step(0, 0)
            _calendar(home)
        row = refund()
        assert (row.state, row.amount_minor) == ("submitted", (before - far) // 10_000)
        assert home.leased_micro() <= home.balance_micro == far_left(home, before, row.amount_minor)
        check_laws(home.desk.street.book, acked=home.desk.acked)


def far_left(home: Any, before: int, amount_minor: int) -> int:
    """What is left of the credit: less the refund, and what the far meter used meanwhile."""
    return before - amount_minor * 10_000 - 2 * 300 * MICRO_PER_WH


def _agreed(home: Any, amount_minor: int) -> Any:
    from fairwatt.flows.ask_refund import answer_refund, ask_refund
    from fairwatt.store.models import Book, Refund

    _flush(home)
    book = Book.objects.get(pk=home.desk.street.book)
    clerk, admin = clerk_of(home.desk), clerk_of(home.desk, "admin")
    with as_role("web"):
        (made,) = ask_refund(
            book=book,
            wallet_id=home.wallet,
            user_id=clerk.pk,
            amount_minor=amount_minor,
            way="window",
            reason="asked at the desk",
            now_us=home.now_us,
        )
        answer_refund(book=book, refund_id=made, user_id=admin.pk, answer="approve", now_us=home.now_us)
    return lambda: Refund.objects.get(pk=made)


def _calendar(home: Any) -> None:
    from fairwatt.flows.raise_due import raise_due

    _flush(home)
    raise_due(book_id=home.desk.street.book, now_us=home.now_us)


def _flush(home: Any) -> None:
    from fairwatt.flows.posting.flushing import CacheFlusher

    flusher = CacheFlusher(state=home.desk.state)
    flusher.catch_up()
    flusher.flush(state=home.desk.state)
