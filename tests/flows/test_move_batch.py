"""The end of a term: a whole corridor in one file, every row looked at first, every room settled."""

from __future__ import annotations

import io

import pytest
from openpyxl import Workbook

from support.desk import Desk
from support.house import as_role
from support.moves import clerk_of, follow
from support.street import HOUR_US, NOON_US, Street, reading

ROOMS = 40


def test_a_whole_corridor_leaves_in_one_file(street: Street, desk: Desk) -> None:
    from fairwatt.flows.move_batch import ask_all, look_at, read_rows, results_of
    from fairwatt.store.models import Book, RefundWish, Unit

    with as_role("web"):
        homes = [street.open_home() for _ in range(ROOMS)]
    desk.open(now_us=street.opened_us)
    for home in homes[:3]:
        desk.pay(home, 10_00, now_us=NOON_US)
    at_us = NOON_US + HOUR_US
    desk.post(street.readings(*(reading(home, at_us, 500 + n) for n, home in enumerate(homes))), now_us=at_us)
    desk.open(now_us=at_us)
    now_us, clerk = at_us + 600_000_000, clerk_of(desk)
    sheet = Workbook()
    sheet.active.append(["home", "move", "at"])  # type: ignore[union-attr]
    for n in range(1, ROOMS + 1):
        sheet.active.append([f"{n:04d}", "out", "2013-07-01 14:00"])  # type: ignore[union-attr]
    held = io.BytesIO()
    sheet.save(held)
    rows = read_rows(data=held.getvalue(), name="term.xlsx")
    book = Book.objects.get(pk=street.book)
    with as_role("web"):
        looked = look_at(book=book, rows=rows, now_us=now_us)
        assert len(looked) == ROOMS and not [row for row in looked if row.error]
        asked = {"book_id": book.pk, "rows": rows, "user_id": clerk.pk, "now_us": now_us}
        together = ask_all(**asked, entropy=b"0123456789")
        assert ask_all(**asked, entropy=b"0123456789") == together
    follow(desk, now_us=now_us)
    with as_role("web"):
        results = results_of(book=book, together=together)
    assert [row.state for row in results] == ["posted"] * ROOMS, {row.code for row in results}
    assert Unit.objects.filter(site=street.site, vacant=True).count() == ROOMS
    assert RefundWish.objects.filter(book=book.pk).count() == 3


def test_the_same_file_again_after_it_was_done_moves_nobody(street: Street, desk: Desk) -> None:
    """The answer was lost, the person presses again: whoever has the home by now is not put out of it."""
    from fairwatt.flows.move_batch import ask_all, read_rows
    from fairwatt.store.models import Book, Fact, Wallet

    meter = desk.home()
    read_us = NOON_US + HOUR_US
    desk.read(meter, read_us, 500)
    desk.open(now_us=read_us)
    book, clerk = Book.objects.get(pk=street.book), clerk_of(desk)
    rows = read_rows(data=b"home,move\n0001,change\n", name="term.csv")
    named, accounts = set(), []
    for now_us in (read_us + 300_000_000, read_us + 600_000_000):
        with as_role("web"):
            named.add(
                ask_all(book_id=book.pk, rows=rows, user_id=clerk.pk, now_us=now_us, entropy=b"0123456789")
            )
        follow(desk, now_us=now_us)
        accounts.append(Wallet.objects.filter(book=book).count())
    moved = list(Fact.objects.filter(book=book.pk, kind="move").values_list("state", flat=True))
    assert (len(named), moved) == (1, ["posted"])
    assert accounts[0] == accounts[1]
    assert len(desk.events("desk.moves_asked")) == 1


def test_one_wrong_row_changes_nothing_and_is_named(street: Street, desk: Desk) -> None:
    from fairwatt.flows.move_batch import ask_all, look_at, read_rows
    from fairwatt.flows.move_home import MoveImpossible
    from fairwatt.store.models import Book, Fact

    desk.home()
    book, now_us = Book.objects.get(pk=street.book), NOON_US + HOUR_US
    text = "home,move,users\n0001,out,\n0001,out,\n0009,out,\n0001,fly,\n"
    rows = read_rows(data=text.encode(), name="moves.csv")
    with as_role("web"):
        wrong = [(row.line, row.error is not None) for row in look_at(book=book, rows=rows, now_us=now_us)]
        assert wrong == [(2, False), (3, True), (4, True), (5, True)]
        with pytest.raises(MoveImpossible, match="Row 3"):
            ask_all(
                book_id=book.pk, rows=rows, user_id=clerk_of(desk).pk, now_us=now_us, entropy=b"0123456789"
            )
        assert not Fact.objects.filter(kind="move", book=book.pk).exists()
    for bad in (b"", b"PK\x03\x04broken", b"\xff\xfe\x00", b"flat,who\n1,2\n"):
        with pytest.raises(MoveImpossible):
            read_rows(data=bad, name="bad")
