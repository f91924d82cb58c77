"""A telephone beside a till at M-PESA: what is typed into its menu, and what M-PESA asks and tells of it."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlsplit

from django.db import connection

from fairwatt.core.account_numbers import account_number
from fairwatt.simulate.pay.books import Payment
from fairwatt.simulate.pay.talking import Report
from support.cash import ticket
from support.house import as_role
from support.moves import ask, clerk_of, follow
from support.till import Till


class Phone:
    """A telephone beside a till: what is typed there, and what M-PESA asks and tells of it."""

    def __init__(self, till: Till) -> None:
        from fairwatt.flows.merchants import offer

        self.till, self.answers = till, list[str]()
        with as_role("migrate"):
            offer(
                account_id=till.account,
                methods=["push", "paybill"],
                author="commissioning",
                now_us=till.clock.us,
            )
        till.world.asks = self.asked
        till.world.mpesa.paybills.validates = True
        self.look()

    def asked(self, report: Report) -> tuple[int, bytes]:
        """M-PESA asks the web's door before it takes money."""
        with as_role("web"):
            ack = self.heard_here(report)
        self.answers.append(json.loads(ack.body)["ResultCode"])
        return ack.status, ack.body

    def heard_here(self, report: Report) -> Any:
        """The same under the role this thread has."""
        from fairwatt.flows.unasked import hear

        place, token, what = urlsplit(report.url).path.removeprefix("/pay/callback/").split("/")
        assert place == "incoming"
        merchant = self.till.merchants().by_token(token=token)
        assert merchant is not None
        return hear(merchant=merchant, what=what, body=report.body, now_us=self.till.clock.us)

    def number(self, home: int = 0) -> str:
        return account_number(wallet=self.till.desk.street.wallets[home])

    def dial(self, named: str = "", amount_minor: int = 1000, *, shop: str = "") -> Payment:
        """Somebody types three numbers and a PIN."""
        paid: Payment = self.till.world.dial(
            shop=shop or self.till.shop.number, named=named or self.number(), amount_minor=amount_minor
        )
        return paid

    def unchecked(self, named: str, amount_minor: int = 1000) -> Payment:
        """The same at a merchant M-PESA does not ask: validation has to be applied for there."""
        self.till.world.mpesa.paybills.validates = False
        try:
            return self.dial(named, amount_minor)
        finally:
            self.till.world.mpesa.paybills.validates = True

    def told(self, *, times: int = 1) -> None:
        """Everything M-PESA would tell now."""
        for sending in self.till.world.due():
            sending.tries = 99
            report = sending.make()
            if report.url:
                for _ in range(times):
                    with as_role("web"):
                        assert self.heard_here(report).status == 200, "another answer loses it for ever"

    def look(self, *, after_s: int = 0) -> None:
        self.till.ask(after_s=after_s)
        self.till.post()

    def settle(self) -> None:
        """Told, asked, posted: what happens within seconds of a payment."""
        self.told()
        self.look(after_s=3)

    def left(self, home: int) -> int:
        """Whoever lives there moves out now; the wallet that was theirs."""
        desk, now_us = self.till.desk, self.till.clock.us
        wallet = desk.street.wallets[home]
        desk.read(desk.street.homes[home], now_us, 10)
        ask(desk, "out", wallet=wallet, at_us=now_us, now_us=now_us)
        follow(desk, now_us=now_us)
        return int(wallet)

    def intents(self) -> list[Any]:
        from fairwatt.store.models import PaymentIntent

        return list(PaymentIntent.objects.filter(account=self.till.account, method="paybill").order_by("pk"))

    def stands(self) -> Any:
        from fairwatt.flows.unasked import stands
        from fairwatt.store.models import MerchantAccount

        with as_role("web"):
            return stands(account=MerchantAccount.objects.get(pk=self.till.account))

    def waiting(self) -> list[Any]:
        from fairwatt.store import money_wishes

        with connection.cursor() as cursor:
            return money_wishes.in_suspense(cursor=cursor, book=self.till.desk.street.book, currency="KES")

    def claim(self, of: int, *, home: int = 0) -> None:
        """Two people place what lies in suspense."""
        from fairwatt.flows.two_people import answer_wish, ask_claim

        about = {"book_id": self.till.desk.street.book, "now_us": self.till.clock.us}
        with as_role("web"):
            wish = ask_claim(
                of=of,
                wallet_id=self.till.desk.street.wallets[home],
                words="her receipt shows it",
                user_id=clerk_of(self.till.desk).pk,
                ticket=ticket(),
                **about,
            )
            answer_wish(
                wish_id=wish, step="approve", words="", user_id=clerk_of(self.till.desk, "admin").pk, **about
            )
        self.till.post()
