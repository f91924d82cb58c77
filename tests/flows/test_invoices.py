"""What was charged becomes documents, once, without a hole in their numbers, and adds up with the journal."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction

from support.costs import fee, run_due, staff
from support.credit import person
from support.desk import Desk
from support.house import as_role
from support.street import DAY_US, HOUR_US, NOON_US, Street

JULY_END_US = NOON_US + 31 * DAY_US
SELLER = {
    "name": "Maple Living GmbH",
    "tax_number": "DE136695976",
    "street": "Lindenallee 5",
    "city": "Berlin",
    "postcode": "10115",
    "country": "DE",
    "registered": "HRB 1234",
}


def set_up(street: Street, **changes: Any) -> Any:
    from fairwatt.flows.invoicing.setting_up import set_up_invoices

    wishes: dict[str, Any] = {
        "moment": "consumption",
        "series": f"T{street.book}",
        "seller": SELLER,
        **changes,
    }
    with as_role("migrate"):
        return set_up_invoices(book_id=street.book, author="ada", now_us=NOON_US, **wishes)


def issued(street: Street, who: Any, *, home: int = 0, now_us: int = JULY_END_US, **more: Any) -> list[Any]:
    from fairwatt.flows.invoicing.issuing import Asked, issue_for_home
    from fairwatt.store import facts, invoices

    asked = Asked(book_id=street.book, wallet_id=street.wallets[home], user_id=who.pk, **more)
    with as_role("web"):
        made = issue_for_home(asked=asked, now_us=now_us)
        with transaction.atomic(), connection.cursor() as cursor:
            facts.see_book(cursor=cursor, book=street.book)
            return [invoices.invoice_of(cursor=cursor, book=street.book, invoice=one) for one in made]


def adds_up(street: Street) -> Any:
    from fairwatt.flows.invoicing.control import control

    with as_role("web"):
        found = control(book_id=street.book)
    assert found.difference_micro == 0, found
    return found


def lived(desk: Desk, street: Street, n: int = 1) -> list[int]:
    """Homes with credit, a month of use under VAT, and a late reading that is settled again."""
    homes = [desk.home() for _ in range(n)]
    for home in homes:
        desk.pay(home, 60_00, now_us=NOON_US + HOUR_US)
    for day in (3, 9, 20):
        for k, home in enumerate(homes):
            desk.read(home, NOON_US + day * DAY_US, 3_333 * day + 10 * k)
    for home in homes:
        desk.read(home, NOON_US + 15 * DAY_US, 3_333 * 15, now_us=NOON_US + 21 * DAY_US)
    return homes


def test_what_was_charged_is_invoiced_once_and_adds_up(desk: Desk, street: Street) -> None:
    from fairwatt.flows.invoicing.issuing import CannotInvoice

    lived(desk, street, 2)
    clerk = staff(street, "clerk")
    fee(street, clerk, tax_bp=1_900)
    run_due(desk, JULY_END_US)
    with pytest.raises(CannotInvoice, match="Nobody said yet"):
        issued(street, clerk)
    set_up(street)
    before = adds_up(street)
    assert before.invoiced_micro == 0 and before.waiting_micro == before.earned_micro > 0
    (first,) = issued(street, clerk, until=date(2013, 7, 12))
    assert first.name == f"T{street.book}-000001" and first.paid_minor == first.gross_minor
    assert {part["what"] for part in first.parts} == {"use", "standing"}
    (second,) = issued(street, clerk)
    assert (second.number, second.start_us) == (2, first.end_us)
    assert {part["what"] for part in second.parts} > {"fee"}
    with pytest.raises(CannotInvoice, match="not invoiced yet"):
        issued(street, clerk)
    after = adds_up(street)
    assert after.invoiced_micro == first.net_micro + first.tax_micro + second.net_micro + second.tax_micro
    assert after.waiting_micro == after.earned_micro - after.invoiced_micro > 0
    assert abs(after.rounding_micro) <= 6 * 5_000
    from fairwatt.store import facts, invoices

    with as_role("web"), transaction.atomic(), connection.cursor() as cursor:
        facts.see_book(cursor=cursor, book=street.book)
        taxes = invoices.taxes_of(cursor=cursor, invoice=second.invoice)
    assert set(taxes) == {500, 1_900}
    for rate, one in taxes.items():
        assert abs(one.net_minor * rate - one.tax_minor * 10_000) <= 10_000


def test_what_is_given_back_becomes_a_credit_note_that_names_its_invoice(desk: Desk, street: Street) -> None:
    from fairwatt.flows.fees import reverse_fee
    from support.costs import entries

    lived(desk, street)
    clerk = staff(street, "clerk")
    fee(street, clerk, tax_bp=1_900)
    run_due(desk, JULY_END_US)
    set_up(street)
    (invoice,) = issued(street, clerk)
    charged = next(one for one in entries(desk) if one.kind == "fee")
    with as_role("web"):
        reverse_fee(
            book_id=street.book, entry_id=charged.pk, reason="no lift", by=clerk, now_us=JULY_END_US + HOUR_US
        )
    desk.post(now_us=JULY_END_US + 2 * HOUR_US)
    (note,) = issued(street, clerk, now_us=JULY_END_US + 3 * HOUR_US)
    assert (note.sort, note.of, note.of_name) == ("credit_note", invoice.invoice, invoice.name)
    assert note.gross_minor == 36_89 and note.net_micro == charged.due_micro
    adds_up(street)


def test_an_invoice_is_taken_back_whole_and_made_out_anew_to_another(desk: Desk, street: Street) -> None:
    from fairwatt.flows.invoicing.issuing import CannotInvoice, take_back
    from fairwatt.flows.invoicing.titles import add_title

    lived(desk, street)
    clerk = staff(street, "clerk")
    set_up(street)
    (wrong,) = issued(street, clerk)

    def back(again: bool, title: int | None = None) -> list[int]:
        with as_role("web"):
            return take_back(
                book_id=street.book, invoice_id=wrong.invoice, reason="wrong title", again=again, title_id=title,
                user_id=clerk.pk, now_us=JULY_END_US + HOUR_US,
            )  # fmt: skip

    with as_role("web"):
        title = add_title(
            book_id=street.book, wallet_id=street.wallets[0], name="Acme", number="FR 40 303265045", country="fr",
            user_id=clerk.pk, now_us=JULY_END_US,
        )  # fmt: skip
    note, anew = back(True, title)
    assert (note, anew) != (0, 0) and adds_up(street).reopened_micro == 0
    with pytest.raises(CannotInvoice, match="taken back already"):
        back(False)
    from fairwatt.store import facts, invoices

    with as_role("web"), transaction.atomic(), connection.cursor() as cursor:
        facts.see_book(cursor=cursor, book=street.book)
        mine = invoices.invoices_of_wallet(cursor=cursor, book=street.book, wallet=street.wallets[0])
    assert [(one.number, one.sort) for one in mine] == [(3, "invoice"), (2, "credit_note"), (1, "invoice")]
    assert mine[0].buyer["tax_number"] == "FR40303265045" and mine[2].cancelled
    assert [one.gross_minor for one in mine] == [wrong.gross_minor] * 3


def test_a_month_is_issued_home_by_home_and_a_crash_between_loses_nothing(
    desk: Desk, street: Street, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fairwatt.flows.invoicing import months
    from fairwatt.store import facts, invoice_runs, invoices

    lived(desk, street, 3)
    clerk = staff(street, "clerk")
    set_up(street)
    with as_role("web"):
        seen = months.preview_month(book_id=street.book, month="2013-07", now_us=JULY_END_US)
        assert seen.invoices == 3 and not seen.left_out
        asked = [
            months.ask_month(book_id=street.book, month="2013-07", user_id=clerk.pk, now_us=JULY_END_US)
            for _ in range(2)
        ]
        assert asked[0] == asked[1]
        real, calls = months.issue, []

        def dies(*args: Any, **kwargs: Any) -> Any:
            calls.append(1)
            if len(calls) == 2:
                raise OSError("power is gone")
            return real(*args, **kwargs)

        monkeypatch.setattr(months, "issue", dies)
        with pytest.raises(OSError, match="power"):
            months.work_runs(now_us=JULY_END_US, book_id=street.book)
        monkeypatch.undo()
        assert months.work_runs(now_us=JULY_END_US, book_id=street.book) == 2
        assert months.work_runs(now_us=JULY_END_US, book_id=street.book) == 0
        with transaction.atomic(), connection.cursor() as cursor:
            facts.see_book(cursor=cursor, book=street.book)
            run = invoice_runs.run_of(cursor=cursor, book=street.book, run=asked[0])
            made = invoices.invoices_of_book(cursor=cursor, book=street.book, run=asked[0])
    assert run is not None and run.ended_us and (run.issued, run.left_out) == (3, 0)
    assert run.gross_minor == seen.total.gross_minor == sum(one.gross_minor for one in made)
    assert sorted(one.number for one in made) == [1, 2, 3]
    adds_up(street)


def test_the_database_refuses_a_hole_a_second_bill_and_too_much_credit(desk: Desk, street: Street) -> None:
    lived(desk, street)
    clerk = staff(street, "clerk")
    setup = set_up(street)
    (invoice,) = issued(street, clerk, until=date(2013, 7, 12))

    from fairwatt.store import facts

    def tries(sql: str, parameters: list[Any], why: str) -> None:
        with (
            as_role("web"),
            pytest.raises(DatabaseError, match=why),
            transaction.atomic(),
            connection.cursor() as cursor,
        ):
            facts.see_book(cursor=cursor, book=street.book)
            cursor.execute(sql, parameters)
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")

    wallet = street.wallets[0]
    bill = (
        "INSERT INTO bill (book, wallet, after_batch, until_batch, start_us, end_us, net_micro, tax_micro, made_us) "
        "VALUES (%s, %s, %s, %s, 1, 2, 5, 0, 1)"
    )
    tries(bill, [street.book, wallet, 0, 3], "bill_wallet_after_batch_key")
    tries(bill, [street.book, wallet, 10**6, 10**6 + 1], "bill_wallet_previous_fkey")
    note = (
        "WITH n AS (INSERT INTO invoice (series, book, wallet, sort, bill, of, setup, buyer, parts, net_micro, "
        "tax_micro, net_minor, tax_minor, paid_minor, issued_us) VALUES ('X', %s, %s, 'credit_note', %s, %s, %s, '{}', "
        "'[]', %s, 0, 1, 0, 0, 1) RETURNING id, book, wallet) "
        "INSERT INTO invoice_tax (invoice, book, wallet, rate_bp, net_micro, tax_micro, net_minor, tax_minor) "
        "SELECT id, book, wallet, 500, %s, 0, 1, 0 FROM n"
    )
    over = invoice.net_micro + 1
    tries(
        note,
        [street.book, wallet, invoice.bill, invoice.invoice, setup.setup, over, over],
        "more than is left",
    )
    tries(note, [street.book, wallet, invoice.bill, invoice.invoice, setup.setup, 5, 6], "come to its sums")
    tries("UPDATE invoice SET reason = 'x' WHERE id = %s", [invoice.invoice], "permission denied")
    tries("INSERT INTO invoice (series, number) VALUES ('X', 7)", [], "permission denied")
    (after,) = issued(street, clerk)
    assert after.number == 2  # what was refused took no number away


def test_a_neighbour_cannot_ask_and_a_moment_stays(desk: Desk, street: Street) -> None:
    from fairwatt.flows.desk import NotAllowed
    from fairwatt.flows.invoicing.issuing import CannotInvoice

    lived(desk, street)
    set_up(street, moment="top_up", top_up_bp=500)
    neighbour = person(street, "nobody", role="tenant")
    with pytest.raises(NotAllowed):
        issued(street, neighbour)
    (paid,) = issued(street, staff(street, "clerk"))
    assert paid.gross_minor == paid.paid_minor == 60_00 and (paid.net_minor, paid.tax_minor) == (57_14, 2_86)
    found = adds_up(street)
    assert found.earned_micro == found.invoiced_micro == 60_000_000
    with pytest.raises(CannotInvoice, match="keeps its moment"):
        set_up(street)


def test_a_home_that_owes_is_told_what_is_due(desk: Desk, street: Street) -> None:
    home = desk.home()
    desk.read(home, NOON_US + DAY_US, 9_000)
    set_up(street, due_days=10)
    (invoice,) = issued(street, staff(street, "clerk"))
    assert invoice.paid_minor == 0 and invoice.due_us == JULY_END_US + 10 * DAY_US
    assert invoice.gross_minor * 10_000 - -desk.balance(home) in range(-10_000, 10_001)


def test_the_data_says_what_the_paper_says_and_is_valid(desk: Desk, street: Street) -> None:
    import io

    from django.utils import translation
    from facturx import xml_check_xsd
    from lxml import etree
    from pypdf import PdfReader

    from fairwatt.reports.invoice import as_file, read_invoice

    lived(desk, street)
    clerk = staff(street, "clerk")
    fee(street, clerk)
    run_due(desk, JULY_END_US)
    set_up(street, untaxed="E", untaxed_words="Exempt under section 4 no. 12 UStG")
    (invoice,) = issued(street, clerk)
    with as_role("web"):
        read = read_invoice(book=street.site.book, invoice_id=invoice.invoice)
        assert read is not None
        xml, _ = as_file(read=read, form="xml")
        pdf, name = as_file(read=read, form="pdf")
    assert name == f"{invoice.name}.pdf" and xml_check_xsd(xml, flavor="factur-x", level="en16931")
    tree = etree.fromstring(xml)

    def said(path: str) -> list[str]:
        return [str(one.text) for one in tree.iterfind(f".//{{*}}{path.replace('/', '/{*}')}")]

    gross = f"{invoice.gross_minor // 100}.{invoice.gross_minor % 100:02d}"
    assert said("GrandTotalAmount") == [gross] and said("TypeCode")[0] == "380"
    assert float(said("TotalPrepaidAmount")[0]) * 100 == pytest.approx(invoice.paid_minor)
    period = "ApplicableHeaderTradeSettlement/BillingSpecifiedPeriod"
    assert said(f"{period}/StartDateTime/DateTimeString") == ["20130701"]
    assert sum(float(one) for one in said("LineTotalAmount")[:-1]) == pytest.approx(
        float(said("LineTotalAmount")[-1])
    )
    assert said("ExemptionReason") == ["Exempt under section 4 no. 12 UStG"]
    reader = PdfReader(io.BytesIO(pdf))
    assert bytes(reader.attachments["factur-x.xml"][0]) == xml
    text = reader.pages[0].extract_text()
    for words in (f"Invoice {invoice.name}", "Maple Living GmbH", "DE136695976", "Property fee"):
        assert words in text, words
    seller = {**SELLER, "country": "CN", "tax_number": "91110000600037341L", "city": "北京"}
    set_up(street, seller=seller, language="zh")
    desk.read(desk.street.homes[0], JULY_END_US + DAY_US, 90_000)
    (after,) = issued(street, clerk, now_us=JULY_END_US + 2 * DAY_US)
    with as_role("web"), translation.override("zh-hans"):
        read = read_invoice(book=street.site.book, invoice_id=after.invoice)
        assert read is not None
        pdf, _ = as_file(read=read, form="pdf")
    text = PdfReader(io.BytesIO(pdf)).pages[0].extract_text()
    assert "不是税务发票" in text and text.replace("不是税务发票，不能代替发票", "").count("发票") == 0


def test_who_joined_a_household_buys_nothing(desk: Desk, street: Street) -> None:
    """An invoice names an owner who lives there, not the newest guest, and not one who was taken out."""
    from fairwatt.store.models import Tenancy, User

    with as_role("migrate"):
        mei, bo = (
            User.objects.create_user(f"{name}-{street.book}", None, "x", first_name=name)
            for name in ("Mei", "Bo")
        )
    lived(desk, street)
    with as_role("migrate"):
        for user, role, end_us in ((mei, "owner", None), (bo, "member", NOON_US + 2 * DAY_US)):
            start_us = NOON_US + (0 if role == "owner" else DAY_US)
            Tenancy.objects.create(
                user=user, wallet_id=street.wallets[0], start_us=start_us, end_us=end_us, role=role
            )
    set_up(street)
    (made,) = issued(street, mei)
    assert made.buyer["name"] == "Mei"
