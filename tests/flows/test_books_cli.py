"""Invoices and the move from postpaid at the command line, over a street that lived a month."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from flows.test_invoices import SELLER, lived
from flows.test_postpaid import labels, picture
from support.credit import person
from support.desk import Desk
from support.house import as_role
from support.street import Street


def run(*arguments: str, role: Any = "web", code: int = 0) -> str:
    from fairwatt.cli.main import app

    with as_role(role):
        done = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert done.exit_code == code, done.output
    return done.output


def test_invoices_at_the_command_line(desk: Desk, street: Street, tmp_path: Path) -> None:
    from fairwatt.server.errors import OperatorError

    lived(desk, street, 2)
    clerk, book = person(street, "clerk", role="operator").username, ("--book", str(street.book))
    named = [part for name, value in SELLER.items() for part in (f"--{name.replace('_', '-')}", value)]
    with pytest.raises(OperatorError, match="Nobody said yet"):
        run("invoices", "check", *book)
    run("invoices", "setup", *book, "--series", f"C{street.book}", *named, role="migrate")
    with pytest.raises(OperatorError, match="capital letters"):
        run("invoices", "setup", *book, "--series", "c 1", *named, role="migrate")
    (first,) = json.loads(run("invoices", "issue", labels(street)[0], *book, "--by", clerk, "--json"))
    seen = json.loads(run("invoices", "month", *book, "--month", "2013-07", "--json"))
    assert (seen["invoices"], seen["run"]) == (1, None)
    done = json.loads(run("invoices", "month", *book, "--month", "2013-07", "--by", clerk, "--json"))
    assert (done["issued"], done["total"]) == (1, seen["total"])
    listed = json.loads(run("invoices", "list", *book, "--json"))
    assert [one["number"] for one in listed][-1] == first and len(listed) == 2
    held = json.loads(run("invoices", "check", *book, "--json"))
    assert held["difference_micro"] == held["waiting_micro"] == 0 and held["invoiced_micro"] > 0
    assert "difference" in run("invoices", "check", *book)
    assert json.loads(run("invoices", "show", first, *book))["number"] == first
    assert "CrossIndustryInvoice" in run("invoices", "show", first, *book, "--form", "xml")
    out = tmp_path / "one.pdf"
    run("invoices", "show", first, *book, "--form", "pdf", "--out", str(out))
    assert out.read_bytes().startswith(b"%PDF")
    with pytest.raises(OperatorError, match="no document"):
        run("invoices", "show", "X-000009", *book)


def test_moving_from_postpaid_at_the_command_line(desk: Desk, street: Street, tmp_path: Path) -> None:
    from fairwatt.server.errors import OperatorError

    lived(desk, street, 2)
    ada, bea = person(street, "ada").username, person(street, "bea").username
    book, (first, second) = ("--book", str(street.book)), labels(street)
    assert json.loads(run("postpaid", "set", first, *book, "--by", ada, "--json")) == [first]
    assert [one["home"] for one in json.loads(run("postpaid", "list", *book, "--json"))] == [first]
    planned = ("postpaid", "wave", "East", first, *book, "--by", ada, "--day", "2099-01-01")
    assert json.loads(run(*planned, "--json"))["homes"][0]["why_not"] == ""
    with pytest.raises(OperatorError, match="cannot be in this wave"):
        run(*planned[:4], second, *planned[4:], "--write")
    number = str(json.loads(run(*planned, "--write", "--json"))["wave"])
    run("postpaid", "step", number, "agreed", *book, "--by", bea)
    run("postpaid", "step", number, "noticed", *book, "--by", ada, "--home", first)
    run("postpaid", "step", number, "postponed", *book, "--by", ada, "--home", first, "--day", "2099-02-01")
    (wave,) = json.loads(run("postpaid", "waves", *book, "--json"))
    assert (wave["name"], wave["homes"], wave["done"]) == ("East", 1, 0)
    table = tmp_path / "debts.csv"
    table.write_text(f"home,amount,reference,share_percent\n{first},12.50,bill 1,20\n{second},x,bill 2,20\n")
    looked = json.loads(
        run("postpaid", "debts", str(table), *book, "--by", ada, "--json", role="migrate", code=1)
    )
    assert [row["state"] for row in looked["rows"]] == ["new", "fault"]
    table.write_text(f"home,amount,reference,share_percent\n{first},12.50,bill 1,20\n")
    apply = ("postpaid", "debts", str(table), *book, "--by", ada, "--apply", "--agreed-by", bea, "--json")
    assert json.loads(run(*apply, role="migrate"))["rows"][0]["state"] == "new"
    assert json.loads(run(*apply, role="migrate"))["rows"][0]["state"] == "known"
    photo = tmp_path / "photo.jpg"
    photo.write_bytes(picture())
    shown = ("postpaid", "read", first, "99999.5", str(photo), *book, "--by", ada, "--json")
    assert json.loads(run(*shown))["doubt"] == ""  # years after the last one: it may well be
