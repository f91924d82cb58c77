"""E-fapiao: asked once however often, carried over real HTTP with signatures, issued, taken back, refused."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from fairwatt.server.launcher.services import Services
from fairwatt.simulate.einvoice import PracticePlatform, serving
from flows.test_invoices import JULY_END_US, issued, lived, set_up
from support.costs import staff
from support.desk import opened_desk
from support.house import as_role
from support.street import Street

TAXPAYER = "91110000600037341L"
US = 1_000_000


@dataclass
class HandClock:
    """Time that a test moves by hand."""

    at_us: int = JULY_END_US

    def now_us(self) -> int:
        return self.at_us


def look(efapiaos: Any) -> int:
    """One look of the collector, under its own role; how many questions were due."""
    with as_role("collector"):
        due = efapiaos.due()
        for one in due:
            one()
    return len(due)


def stands(street: Street) -> list[tuple[str, str]]:
    """How each request of the book stands."""
    from django.db import connection, transaction

    from fairwatt.store import efapiao, facts

    with as_role("web"), transaction.atomic(), connection.cursor() as cursor:
        facts.see_book(cursor=cursor, book=street.book)
        return [(one.sort, one.state) for one in efapiao.requests_of_book(cursor=cursor, book=street.book)]


def test_an_efapiao_is_asked_for_once_issued_and_taken_back_before_its_invoice_is(house: Services) -> None:
    from fairwatt.collector.carrier import Carrier
    from fairwatt.collector.efapiao import Efapiaos
    from fairwatt.flows.invoicing.efapiao import ask_efapiao, ask_red, set_platform
    from fairwatt.flows.invoicing.issuing import CannotInvoice, take_back

    street, clock, ours = Street(), HandClock(), Ed25519PrivateKey.generate()
    with opened_desk(street) as desk:
        lived(desk, street)
        clerk = staff(street, "clerk")
        set_up(street)
        (invoice,) = issued(street, clerk)
        about = {"book_id": street.book, "invoice_id": invoice.invoice, "user_id": clerk.pk}

        def asked(what: Any, **more: Any) -> int:
            with as_role("web"):
                return int(what(**about, now_us=clock.at_us, **more))

        with pytest.raises(CannotInvoice, match="No platform"):
            asked(ask_efapiao)
        platform = PracticePlatform(taxpayer_key=ours.public_key(), now_us=clock.now_us)
        with serving(platform) as origin:
            with as_role("migrate"):
                set_platform(
                    book_id=street.book,
                    origin=origin,
                    taxpayer=TAXPAYER,
                    platform_key=platform.key.public_key().public_bytes_raw(),
                    author="ada",
                    now_us=clock.at_us,
                )
            carrier = Carrier()
            efapiaos = Efapiaos(carrier=carrier, clock=clock, key=ours)
            assert asked(ask_efapiao) == asked(ask_efapiao)
            # The first answer is lost on the way: it is asked again under the same serial, later, and is one.
            platform.lost = 1
            assert look(efapiaos) == 1 and stands(street) == [("blue", "asked")]
            assert look(efapiaos) == 0
            clock.at_us += 2 * US
            assert look(efapiaos) == 1 and stands(street) == [("blue", "pending")]
            with pytest.raises(CannotInvoice, match="asked for or issued"):
                asked(take_back, reason="x", again=False, title_id=None)
            clock.at_us += 10 * US
            look(efapiaos)
            assert stands(street) == [("blue", "issued")] and len(platform.asked) == 1
            clock.at_us += 9_000 * US
            assert look(efapiaos) == 0  # what is over is asked about no more
            with pytest.raises(CannotInvoice, match="take that one back first"):
                asked(take_back, reason="x", again=False, title_id=None)
            assert asked(ask_red, reason="wrong title") == asked(ask_red, reason="wrong title")
            for _ in range(3):
                look(efapiaos)
                clock.at_us += 10 * US
            assert stands(street) == [("blue", "issued"), ("red", "issued")]
            with as_role("web"):
                assert (
                    len(take_back(reason="x", again=False, title_id=None, now_us=clock.at_us, **about)) == 1
                )
            numbers = set(platform.issued().values())
            assert len(numbers) == 2 and all(len(one) == 20 for one in numbers)
        carrier.close()


def test_an_answer_that_the_platform_did_not_sign_is_not_believed(house: Services) -> None:
    from fairwatt.collector.carrier import Carrier
    from fairwatt.payments.efapiao import DirectLink
    from fairwatt.payments.exchange import Moment, ProviderRefused, ReplyNotBelieved

    ours, clock = Ed25519PrivateKey.generate(), HandClock()
    platform = PracticePlatform(taxpayer_key=ours.public_key(), now_us=clock.now_us)

    def line(**changes: Any) -> DirectLink:
        known = {"key": ours, "platform_key": platform.key.public_key(), **changes}
        return DirectLink(origin=platform.origin, taxpayer=TAXPAYER, **known)

    def ask(link: DirectLink, nonce: str) -> Any:
        at = Moment(now_us=clock.at_us, nonce=nonce)
        return carrier.carry(link.query(serial="none", at=at), account="x")

    with serving(platform):
        carrier = Carrier()
        with pytest.raises(ReplyNotBelieved, match="did not sign"):
            ask(line(platform_key=ours.public_key()), "a" * 32)
        with pytest.raises(ProviderRefused, match="does not fit"):
            ask(line(key=Ed25519PrivateKey.generate()), "b" * 32)
        with pytest.raises(ProviderRefused, match="no such request"):
            ask(line(), "c" * 32)
        with pytest.raises(ProviderRefused, match="asked before"):
            ask(line(), "c" * 32)
        clock.at_us -= 600 * US
        carrier.close()


def test_patience_grows_and_ends_at_an_hour() -> None:
    from fairwatt.flows.invoicing.efapiao import next_ask_us

    waits = [next_ask_us(asks=n, now_us=0) for n in range(1, 30)]
    assert waits[:4] == [2 * US, 4 * US, 8 * US, 16 * US]
    assert waits == sorted(waits) and waits[-1] == 3_600 * US
