"""A doubted line: heard, ruled, approved by another person, given back once, and never more than it took."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from support.costs import JULY_END_US, fee, run_due
from support.disputes import Case, charged, doubting
from support.forged import add_fact, forge
from support.house import as_role
from support.street import DAY_US, NOON_US, Street

PDF = b"%PDF-1.7 a photo of the meter"


@pytest.fixture
def case(street: Street) -> Iterator[Case]:
    with doubting(street) as case:
        yield case


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


def test_who_approves_a_ruling_approves_the_one_that_was_looked_at(case: Case) -> None:
    from fairwatt.flows.dispute import DisputeRefused

    opened = case.open()
    seen = case.rule(opened, 5)
    case.answer(opened, approve=False, words="Not yet.")
    case.rule(opened, charged(case))
    with pytest.raises(DisputeRefused, match="Another ruling was made"):
        case.answer(opened, ruling_id=seen.pk)
    before = case.desk.balance(case.meter)
    case.desk.post(now_us=case.now_us)
    assert case.desk.balance(case.meter) == before


def test_a_ruling_never_gives_more_than_the_line_took(case: Case) -> None:
    from fairwatt.flows.dispute import DisputeRefused

    opened = case.open()
    with pytest.raises(DisputeRefused, match="whole charge"):
        case.rule(opened, charged(case) + 1)
    with pytest.raises(DisputeRefused, match="Only staff"):
        case.rule(opened, 1, user_id=case.stranger.pk)


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
    from support.costs import legs

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
