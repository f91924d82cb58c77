"""A payer's code at the window: paid at once, confirmed on the telephone, taken back, refused; and never twice."""

from __future__ import annotations

from itertools import count

import pytest

from support.cash import Drawer, ticket
from support.house import as_role
from support.till import Till, at

BOTH = ("wechat", "alipay")
PREFIX = {"wechat": "13", "alipay": "28"}
_codes = count(1)


class Window:
    """An open shift at a desk that scans codes."""

    def __init__(self, till: Till) -> None:
        from fairwatt.flows.merchants import offer

        self.till, self.drawer = till, Drawer(till.desk, now_us=till.clock.us)
        with as_role("migrate"):
            offer(account_id=till.account, methods=["scan"], author="commissioning", now_us=till.clock.us)
        self.drawer.open()

    def code(self, last: int) -> str:
        """A fresh code of the payer's; its last digit says what becomes of it."""
        return f"{PREFIX[self.till.dialect]}{next(_codes):015d}{last}"

    def scan(self, code: str, *, form: str = "", amount_minor: int = 1000) -> str:
        """The clerk scans it; nobody has been asked yet."""
        from fairwatt.flows.scan_desk import Scanned, scan_code

        with as_role("web"):
            return scan_code(
                book_id=self.drawer.book,
                scanned=Scanned(
                    wallet_id=self.till.desk.street.wallets[0],
                    amount_minor=amount_minor,
                    code=code,
                    ticket=form or ticket(),
                ),
                user_id=self.drawer.cashier.pk,
                now_us=self.till.clock.us,
            )

    def stands(self, ref: str) -> tuple[str, str]:
        """What the desk shows: the state, and the provider's word where it refused."""
        from fairwatt.flows.scan_desk import scan_stands
        from fairwatt.store.models import Book

        with as_role("web"):
            book = Book.objects.get(pk=self.drawer.book)
            found = scan_stands(book=book, our_ref=ref, now_us=self.till.clock.us)
        assert found is not None
        return found.state, found.reason

    def taken(self) -> int:
        """What the platform says this shop was paid."""
        return sum(paid.settled_minor for paid in self.till.world.books.payments(self.till.shop))


@pytest.fixture
def window(till: Till) -> Window:
    return Window(till)


@at(*BOTH)
def test_a_code_pays_at_once_and_pays_once(till: Till, window: Window) -> None:
    from fairwatt.flows.cash_desk import CannotTake

    code, form = window.code(1), ticket()
    ref = window.scan(code, form=form)
    assert window.scan(code, form=form) == ref, "the same form twice is one payment"
    assert window.stands(ref) == ("asking", "")
    till.ask()
    assert (window.stands(ref), till.balance()) == (("paid", ""), 0), (
        "nothing is credited before the poster has looked"
    )
    till.post()
    assert (window.stands(ref), till.balance()) == (("credited", ""), 10_000_000)
    with pytest.raises(CannotTake, match="a code pays once"):
        window.scan(code)
    for _ in range(3):
        till.ask(after_s=60)
        till.post()
    assert (window.taken(), till.balance()) == (1000, 10_000_000)
    with pytest.raises(CannotTake, match="no payer's code"):
        window.scan("12345")
    other = "28" if till.dialect == "wechat" else "13"
    with pytest.raises(CannotTake, match="takes no codes of this provider"):
        window.scan(f"{other}{7:015d}1")


@at("alipay")
def test_a_payer_who_confirms_is_waited_for_and_one_who_does_not_is_let_go(
    till: Till, window: Window
) -> None:
    ref = window.scan(window.code(0))
    till.ask()
    till.ask(after_s=4)
    assert (window.stands(ref)[0], till.balance()) == ("confirming", 0)
    till.world.pay(till.order(ref))
    till.ask(after_s=4)
    till.post()
    assert (window.stands(ref)[0], till.balance()) == ("credited", 10_000_000)

    left = window.scan(window.code(0))
    till.ask()
    for _ in range(6):
        till.ask(after_s=12)
    assert (window.stands(left)[0], till.order(left).state) == ("taken_back", "closed")
    till.world.pay(till.order(left), anyway=True)
    till.ask(after_s=120)
    till.post()
    assert (window.stands(left)[0], till.balance()) == ("credited", 20_000_000), (
        "late money is the payer's credit"
    )


@at("wechat")
def test_an_answer_that_was_lost_is_asked_for_and_the_code_is_not_scanned_again(
    till: Till, window: Window
) -> None:
    till.world.faults.set(http="cut")
    done, waits = window.scan(window.code(1)), window.scan(window.code(0))
    till.ask()
    assert (window.stands(done)[0], till.intent(done).trouble) == ("asking", "no_answer")
    till.world.faults.set(http="")
    till.ask(after_s=10)
    till.post()
    assert (window.stands(done)[0], window.stands(waits)[0]) == ("credited", "confirming")
    assert (window.taken(), till.balance()) == (1000, 10_000_000)


@at(*BOTH)
def test_a_refusal_says_why_in_the_providers_own_word(till: Till, window: Window) -> None:
    poor, old = window.scan(window.code(8)), window.scan(window.code(9))
    till.ask()
    words = {
        "wechat": ("NOTENOUGH", "AUTHCODEEXPIRE"),
        "alipay": ("ACQ.BUYER_BALANCE_NOT_ENOUGH", "ACQ.PAYMENT_AUTH_CODE_INVALID"),
    }
    assert (window.stands(poor), window.stands(old)) == tuple(("refused", one) for one in words[till.dialect])
    till.ask(after_s=120)
    till.post()
    assert (window.taken(), till.balance()) == (0, 0)
