"""A home with one charge and the people around a dispute of it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from support.desk import Desk, opened_desk
from support.house import as_role
from support.laws import check_laws
from support.street import HOUR_US, NOON_US, Street


@dataclass
class Case:
    """A home with one charge, its resident, two people at the desk and one of another company."""

    desk: Desk
    meter: int
    resident: Any
    clerk: Any
    admin: Any
    stranger: Any
    now_us: int = NOON_US + 2 * HOUR_US

    @property
    def wallet(self) -> int:
        return self.desk.street.wallets[0]

    def open(self, **changes: Any) -> Any:
        from fairwatt.flows.dispute import open_dispute

        asked = {
            "wallet_id": self.wallet,
            "line_seq": 2,
            "reason": "reading",
            "words": "I was away that day.",
            "user_id": self.resident.pk,
            "now_us": self.now_us,
            "entropy": os.urandom(10),
        }
        with as_role("web"):
            return open_dispute(**{**asked, **changes})

    def say(self, case: Any, **changes: Any) -> Any:
        from fairwatt.flows.dispute import add_to_dispute

        return self._do(
            add_to_dispute, case, **{"words": "", "evidence": None, "user_id": self.resident.pk, **changes}
        )

    def rule(self, case: Any, refund: int, **changes: Any) -> Any:
        from fairwatt.flows.dispute import rule_dispute

        asked = {"refund_micro": refund, "words": "Seen.", "user_id": self.clerk.pk}
        return self._do(rule_dispute, case, **{**asked, **changes})

    def answer(self, case: Any, approve: bool = True, **changes: Any) -> Any:
        from fairwatt.flows.dispute import answer_ruling
        from fairwatt.store.models import DisputeEntry

        with as_role("poster"):
            ruled = DisputeEntry.objects.filter(dispute=case, kind="ruling").order_by("pk").last()
        seen = ruled.pk if ruled else 0
        asked = {"approve": approve, "words": "", "user_id": self.admin.pk, "ruling_id": seen}
        return self._do(answer_ruling, case, **{**asked, **changes})

    def _do(self, flow: Any, case: Any, **asked: Any) -> Any:
        with as_role("web"):
            return flow(dispute_id=case.pk, book_id=self.desk.street.book, now_us=self.now_us, **asked)


@contextmanager
def doubting(street: Street, *, judged: bool = True) -> Iterator[Case]:
    """A home of the street with a charge that may be doubted; the laws are checked at the end (`judged`: see there)."""
    from fairwatt.store.models import Book, User

    with as_role("migrate"):
        organisation = Book.objects.get(pk=street.book).organisation
        people = {
            name: User.objects.create_user(f"{name}-{street.book}", None, "x", organisation=owner, role=role)
            for name, owner, role in (
                ("resident", None, "tenant"),
                ("clerk", organisation, "operator"),
                ("admin", organisation, "admin"),
                ("stranger", None, "admin"),
            )
        }
    meter = street.open_home(tenants=(people["resident"],))
    with opened_desk(street) as desk:
        desk.pay(meter, 20_00, now_us=NOON_US)
        desk.post(now_us=NOON_US)
        desk.read(meter, NOON_US + HOUR_US, 5_000)
        yield Case(desk=desk, meter=meter, **people)
        check_laws(street.book, acked=desk.acked, judged=judged)


def charged(case: Case) -> int:
    """What the doubted line took, in micro-units."""
    return -int(case.desk.lines()[1].amount_micro)
