"""A doubted line: heard, ruled, approved by another person, given back once, and never more than it took."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from support.costs import JULY_END_US, entries, fee, run_due
from support.desk import Desk, opened_desk
from support.forged import add_fact, forge
from support.house import as_role
from support.laws import check_laws
from support.street import DAY_US, HOUR_US, NOON_US, Street

PDF = b"%PDF-1.7 a photo of the meter"


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

        asked = {"approve": approve, "words": "", "user_id": self.admin.pk}
        return self._do(answer_ruling, case, **{**asked, **changes})

    def _do(self, flow: Any, case: Any, **asked: Any) -> Any:
        with as_role("web"):
            return flow(dispute_id=case.pk, book_id=self.desk.street.book, now_us=self.now_us, **asked)


@pytest.fixture
def case(street: Street) -> Iterator[Case]:
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
        check_laws(street.book, acked=desk.acked)


def charged(case: Case) -> int:
    return -int(case.desk.lines()[1].amount_micro)


def test_a_case_is_opened_once_and_has_a_deadline(case: Case) -> None:
    opened = case.open()
    assert opened.charged_micro == charged(case) > 0
    assert opened.due_us == case.now_us + 14 * DAY_US
    assert case.open(words="again").pk == opened.pk


def test_nobody_else_speaks_for_a_home(case: Case) -> None:
    from fairwatt.flows.dispute import DisputeRefused

    with pytest.raises(DisputeRefused, match="may not speak"):
        case.open(user_id=case.stranger.pk)
    with pytest.raises(DisputeRefused, match="took no money"):
        case.open(line_seq=1)
    with pytest.raises(DisputeRefused, match="no such charge"):
        case.open(line_seq=99)


def test_evidence_is_known_by_its_bytes_and_kept_once(case: Case) -> None:
    from fairwatt.flows.dispute import EVIDENCE_BYTES_MAX, DisputeRefused, Evidence

    opened = case.open()
    shown = case.say(opened, evidence=Evidence(name="meter.exe", content=PDF))
    assert shown.media_type == "application/pdf" and len(shown.digest) == 64
    assert case.say(opened, evidence=Evidence(name="again.pdf", content=PDF)).pk == shown.pk
    for bad in (b"", b"MZ\x00\x01", b"<html><script>", b"x" * (EVIDENCE_BYTES_MAX + 1)):
        with pytest.raises(DisputeRefused):
            case.say(opened, evidence=Evidence(name="photo.jpg", content=bad))
    with pytest.raises(DisputeRefused, match="message or choose"):
        case.say(opened)


def test_money_comes_back_when_a_second_person_approves_and_only_once(case: Case) -> None:
    from fairwatt.flows.dispute import DisputeRefused

    opened = case.open()
    before, refund = case.desk.balance(case.meter), charged(case) // 2
    case.rule(opened, refund)
    case.desk.post(now_us=case.now_us)
    assert case.desk.balance(case.meter) == before, "a ruling alone moves nothing"
    with pytest.raises(DisputeRefused, match="Somebody else"):
        case.answer(opened, user_id=case.clerk.pk)
    case.answer(opened)
    orders = len(case.desk.orders())
    case.desk.post(now_us=case.now_us)
    assert case.desk.balance(case.meter) == before + refund
    line = case.desk.lines()[-1]
    assert (line.kind, line.amount_micro) == (6, refund)
    assert [deed.evidence["author"] for deed in case.desk.events("desk.dispute_")] == [
        case.clerk.pk,
        case.admin.pk,
    ]
    (event,) = case.desk.events("dispute.given_back")
    assert (event.evidence["line_seq"], event.evidence["amount_micro"]) == (2, refund)
    assert len(case.desk.orders()) == orders + 1, "the gateway learns of the credit"
    for again in (lambda: case.rule(opened, 1), lambda: case.answer(opened)):
        with pytest.raises(DisputeRefused, match="ruled"):
            again()


def test_tax_comes_back_with_the_charge(case: Case) -> None:
    from fairwatt.store.models import Journal

    opened = case.open()
    case.rule(opened, charged(case))
    case.answer(opened)
    case.desk.post(now_us=case.now_us)
    tax = case.desk.lines()[1].tax_micro
    legs = Journal.objects.filter(book=case.desk.street.book).order_by("-batch")
    assert [leg.amount_micro for leg in legs if leg.account == "tax:output"] == [-tax, tax]
    assert sum(leg.amount_micro for leg in legs if leg.account == "revenue:adjustment") == tax - charged(case)


def test_a_refused_ruling_leaves_the_case_open_and_a_charge_that_stands_closes_it(case: Case) -> None:
    from fairwatt.flows.dispute import DisputeRefused, state_of

    opened = case.open()
    case.rule(opened, 5)
    case.answer(opened, approve=False, words="Too little.")
    case.rule(opened, 0)
    with as_role("migrate"), pytest.raises(DisputeRefused, match="ruled"):
        case.rule(opened, 0)
    from django.db import connection, transaction

    from fairwatt.store import facts

    with transaction.atomic(), connection.cursor() as cursor:
        facts.see_book(cursor=cursor, book=case.desk.street.book)
        assert state_of(case=opened) == "upheld"


def test_a_ruling_never_gives_more_than_the_line_took(case: Case) -> None:
    from fairwatt.flows.dispute import DisputeRefused

    opened = case.open()
    with pytest.raises(DisputeRefused, match="whole charge"):
        case.rule(opened, charged(case) + 1)
    with pytest.raises(DisputeRefused, match="Only staff"):
        case.rule(opened, 1, user_id=case.stranger.pk)


@pytest.mark.parametrize("payload", [{"row": 0}, {"row": "1"}, {"amount_micro": 5}, {"row": 10**12}])
@pytest.mark.parametrize("kind", ["adjustment", "opening"])
def test_a_fact_that_rests_on_nothing_is_refused(case: Case, kind: str, payload: Any) -> None:
    with as_role("web" if kind == "adjustment" else "migrate"):
        fact = add_fact(case.desk.street.book, kind, payload, wallet=case.wallet)
    before = case.desk.balance(case.meter)
    case.desk.post(now_us=case.now_us)
    assert case.desk.fact(fact).state == "refused"
    assert case.desk.balance(case.meter) == before


def test_a_ruling_that_nobody_approved_moves_nothing_whatever_a_fact_says(case: Case) -> None:
    from django.db import connection, transaction

    from fairwatt.store import facts

    ruling = case.rule(case.open(), 5)
    with as_role("web"), transaction.atomic(), connection.cursor() as cursor:
        fact, _ = facts.add(
            cursor=cursor,
            book=case.desk.street.book,
            kind="adjustment",
            natural_key="hasty",
            wallet=case.wallet,
            payload={"row": ruling.pk},
            raw=b"",
            now_us=case.now_us,
        )
    case.desk.post(now_us=case.now_us)
    assert case.desk.fact(fact).result["code"] == "ruling_unproven"


def test_a_key_that_was_taken_keeps_no_ruling_from_being_posted(case: Case) -> None:
    from fairwatt.core.ids import ruling_key

    opened = case.open()
    ruling = case.rule(opened, 5)
    before = case.desk.balance(case.meter)
    taken = forge(case.desk.street.book, "adjustment", {"row": 0}, key=ruling_key(ruling=ruling.pk))
    case.answer(opened)
    case.desk.post(now_us=case.now_us)
    assert case.desk.fact(taken).state == "refused"
    assert case.desk.balance(case.meter) == before + 5


@pytest.mark.parametrize("answered", [True, False])
def test_a_ruling_gives_back_once_whatever_wallet_its_facts_name(case: Case, answered: bool) -> None:
    opened = case.open()
    before = case.desk.balance(case.meter)
    ruling = case.rule(opened, 5)
    case.answer(opened)
    if answered:
        case.desk.post(now_us=case.now_us)
    for n in range(3):
        forge(case.desk.street.book, "adjustment", {"row": ruling.pk}, key=f"again {n}")
        case.desk.post(now_us=case.now_us + n)
    assert case.desk.balance(case.meter) == before + 5


def test_one_ruling_named_by_two_facts_of_one_batch_gives_back_once(case: Case) -> None:
    from django.db import connection, transaction

    from fairwatt.store import facts

    opened = case.open()
    ruling = case.rule(opened, 5)
    case.answer(opened)
    with as_role("web"), transaction.atomic(), connection.cursor() as cursor:
        facts.add(
            cursor=cursor,
            book=case.desk.street.book,
            kind="adjustment",
            natural_key="twice",
            wallet=case.wallet,
            payload={"row": ruling.pk},
            raw=b"",
            now_us=case.now_us,
        )
    before = case.desk.balance(case.meter)
    case.desk.post(now_us=case.now_us)
    assert case.desk.balance(case.meter) == before + 5


def test_two_rulings_on_one_line_in_one_batch_give_back_once(case: Case) -> None:
    """The flow takes one ruling; a web process taken over writes a second one, approved as well."""
    from django.db import connection, transaction

    from fairwatt.store import facts
    from fairwatt.store.models import DisputeEntry

    opened = case.open()
    case.rule(opened, 5)
    case.answer(opened)
    asked = {
        "dispute": opened,
        "book_id": opened.book_id,
        "wallet_id": opened.wallet_id,
        "at_us": case.now_us,
    }
    with as_role("web"), transaction.atomic(), connection.cursor() as cursor:
        facts.see_book(cursor=cursor, book=case.desk.street.book)
        second = DisputeEntry.objects.create(**asked, kind="ruling", refund_micro=7, author=case.clerk)
        DisputeEntry.objects.create(**asked, kind="approval", about=second, author=case.admin)
        facts.add(
            cursor=cursor,
            book=case.desk.street.book,
            kind="adjustment",
            natural_key="second",
            wallet=None,
            payload={"row": second.pk},
            raw=b"",
            now_us=case.now_us,
        )
    before = case.desk.balance(case.meter)
    case.desk.post(now_us=case.now_us)
    assert case.desk.balance(case.meter) == before + 5
    assert [event.reason for event in case.desk.events("fact.refused")] == ["already_given_back"]


@pytest.mark.parametrize("batches", [1, 2])
@pytest.mark.parametrize("ruling_first", [True, False])
def test_a_fee_is_given_back_once_by_a_ruling_or_by_its_reversal(
    case: Case, ruling_first: bool, batches: int
) -> None:
    from fairwatt.flows.fees import reverse_fee

    desk = case.desk
    desk.pay(case.meter, 500_00, now_us=NOON_US + 2 * HOUR_US)
    desk.read(case.meter, JULY_END_US - 2 * DAY_US, 5_000)
    fee(desk.street, case.clerk, amount_micro=1_000_000, tax_bp=600)
    run_due(desk, JULY_END_US)
    case.now_us = JULY_END_US
    line, (entry,), before = desk.lines()[-1], entries(desk), desk.balance(case.meter)
    opened = case.open(line_seq=line.seq)
    case.rule(opened, 600_000)

    def reverse() -> None:
        with as_role("web"):
            reverse_fee(
                book_id=desk.street.book, entry_id=entry.id, reason="twice", by=case.clerk, now_us=case.now_us
            )

    for step in (case.answer, reverse) if ruling_first else (reverse, case.answer):
        step(opened) if step == case.answer else reverse()
        if batches == 2:
            desk.post(now_us=case.now_us)
    desk.post(now_us=case.now_us)
    assert desk.balance(case.meter) == before + 1_060_000


def test_what_a_correction_gave_back_is_not_given_back_again(case: Case) -> None:
    from fairwatt.flows.correct_reading import correct_reading

    with as_role("migrate"):
        correct_reading(
            installation_id=case.desk.street.installations[0],
            at_us=NOON_US + HOUR_US,
            register_wh=1_000,
            author="ada",
            reason="read off wrongly",
            now_us=case.now_us,
        )
    took, opened = charged(case), case.open()
    case.rule(opened, took)
    case.answer(opened)
    case.desk.post(now_us=case.now_us)  # the correction; the ruling waits for it
    corrected = case.desk.balance(case.meter)
    case.desk.post(now_us=case.now_us)
    assert case.desk.balance(case.meter) == corrected > 20_000_000 - took
    (refused,) = case.desk.events("fact.refused")
    assert "corrections" in refused.evidence["detail"]


def test_a_balance_brought_over_is_posted_once_and_only_by_commissioning(case: Case) -> None:
    from django.db import ProgrammingError, connection

    from fairwatt.flows.keep_books import EntryRefused, bring_balance_over

    before = case.desk.balance(case.meter)
    asked = {"wallet_id": case.wallet, "reference": "old ledger, page 4", "now_us": case.now_us}
    with as_role("web"), pytest.raises(ProgrammingError, match="denied"):
        bring_balance_over(amount_micro=1_000_000, **asked)
    with as_role("migrate"):
        fact = bring_balance_over(amount_micro=-3_000_000, **asked)
        assert bring_balance_over(amount_micro=-3_000_000, **asked) == fact
        with pytest.raises(EntryRefused, match="Another balance"):
            bring_balance_over(amount_micro=1, **asked)
    with pytest.raises(ProgrammingError, match="row-level security"):
        forge(case.desk.street.book, "opening", {"row": 1})
    said = case.desk.fact(fact).payload
    for n in range(2):
        add_fact(case.desk.street.book, "opening", said, key=f"again {n}")
    with as_role("web"), pytest.raises(ProgrammingError, match="denied"), connection.cursor() as cursor:
        cursor.execute("SELECT nextval('store_openingentry_id_seq')")
    case.desk.post(now_us=case.now_us)
    case.desk.post(now_us=case.now_us)
    assert case.desk.balance(case.meter) == before - 3_000_000
    assert case.desk.events("balance.brought_over")[0].evidence["entry"] > 0


def test_nothing_said_in_a_case_can_be_changed(case: Case) -> None:
    from django.db import ProgrammingError, connection

    case.say(case.open(), words="mine")
    for role in ("web", "migrate"):
        with as_role(role), pytest.raises(ProgrammingError), connection.cursor() as cursor:  # type: ignore[arg-type]
            cursor.execute("SELECT set_config('fairwatt.books', %s, false)", [str(case.desk.street.book)])
            cursor.execute("SELECT set_config('fairwatt.wallets', '*', false)")
            cursor.execute("UPDATE store_disputeentry SET words = 'other'")


def test_what_was_brought_over_or_given_back_is_no_charge_in_the_collection_rate(case: Case) -> None:
    from fairwatt.flows.keep_books import bring_balance_over
    from fairwatt.reports.asking import Ask
    from fairwatt.reports.making import make, report_named

    took = charged(case)
    with as_role("migrate"):
        bring_balance_over(
            wallet_id=case.wallet, amount_micro=-100_000_000, reference="old books", now_us=case.now_us
        )
    opened = case.open()
    case.rule(opened, took)
    case.answer(opened)
    case.desk.post(now_us=case.now_us)
    assert sorted(line.kind for line in case.desk.lines()) == [1, 2, 6, 6]
    asked = Ask(
        book=case.desk.street.book,
        start_us=NOON_US - DAY_US,
        end_us=NOON_US + DAY_US,
        now_us=NOON_US + DAY_US,
    )
    with (
        as_role("web"),
        make(report=report_named(name="collection"), ask=asked, form="json").file as file,
    ):
        made = json.load(file)
    ((_, homes, topped_up, charges, new_debt, rate),) = made["tables"][0]["rows"]
    assert (homes, topped_up, charges) == (1, 20_000_000, took)
    # 100 came over as a debt, 20 was paid, and the charge was given back: the debt shrank by what was paid.
    assert new_debt == took - 20_000_000
    assert rate == (charges - new_debt) * 10_000 // charges


def test_nobody_judges_in_his_own_cause(case: Case) -> None:
    from django.db import ProgrammingError, connection, transaction

    from fairwatt.flows.dispute import DisputeRefused
    from fairwatt.store import facts
    from fairwatt.store.models import DisputeEntry, Tenancy

    with as_role("migrate"):
        Tenancy.objects.create(wallet_id=case.wallet, user=case.admin, start_us=NOON_US)
    opened = case.open(user_id=case.clerk.pk)
    with pytest.raises(DisputeRefused, match="opened a case"):
        case.rule(opened, 5)
    with pytest.raises(DisputeRefused, match="lived in the home"):
        case.rule(opened, 5, user_id=case.admin.pk)
    with as_role("web"), pytest.raises(ProgrammingError, match="own cause"), transaction.atomic():
        facts.see_book(cursor=connection.cursor(), book=case.desk.street.book)
        DisputeEntry.objects.create(
            dispute=opened,
            book_id=case.desk.street.book,
            wallet_id=case.wallet,
            kind="ruling",
            author=case.clerk,
            at_us=case.now_us,
            refund_micro=5,
        )


def test_the_tax_of_a_fee_comes_back_with_it(case: Case) -> None:
    from support.costs import JULY_END_US, fee, legs, run_due

    desk = case.desk
    desk.pay(case.meter, 200_00, now_us=case.now_us)
    desk.read(case.meter, JULY_END_US - DAY_US, 5_000)
    fee(desk.street, case.clerk, tax_bp=2_000)
    before = legs(desk).get("tax:output", 0)
    run_due(desk, JULY_END_US + DAY_US)
    assert legs(desk).get("tax:output", 0) != before
    (line,) = (line for line in desk.lines() if line.kind == 4)
    case.now_us = JULY_END_US + 2 * DAY_US
    opened = case.open(line_seq=line.seq)
    case.rule(opened, -line.amount_micro)
    case.answer(opened)
    desk.post(now_us=case.now_us)
    assert legs(desk).get("tax:output", 0) == before
