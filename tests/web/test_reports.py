"""Reports, bookkeeping and disputes on pages: what is shown is the report, and what is entered is one flow."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test.utils import CaptureQueriesContext

from support.house import as_role
from web.accounts import administrator, disputed
from web.scene import NOW_US, Scene


def body(response: Any) -> bytes:
    return b"".join(response)


@pytest.mark.parametrize("form", ["pdf", "xlsx", "csv", "json"])
def test_a_resident_takes_the_statement_home_as_a_file(scene: Scene, signed_in: Any, form: str) -> None:
    answer = signed_in(scene.owner).get(f"/home/{scene.public_id(0)}/reports/statement/{form}/")
    content = body(answer)
    assert answer.status_code == 200 and len(answer["X-Fairwatt-Digest"]) == 64
    assert f"-statement-2026-11-01-2026-11-30.{form}" in answer["Content-Disposition"]
    assert content.startswith({"pdf": b"%PDF", "xlsx": b"PK", "csv": b"\xef\xbb\xbf", "json": b"{"}[form])
    page = signed_in(scene.owner).get(f"/home/{scene.public_id(0)}/reports/statement/").content.decode()
    assert answer["X-Fairwatt-Digest"] in page, "the page is the same report"


def test_a_resident_sees_no_report_about_the_book(scene: Scene, signed_in: Any) -> None:
    for name in ("liability", "month-end", "nothing"):
        assert signed_in(scene.owner).get(f"/home/{scene.public_id(0)}/reports/{name}/").status_code == 404
    desk = signed_in(scene.operator)
    assert desk.get(f"/console/{scene.slug}/reports/nothing/").status_code == 404
    assert desk.get(f"/console/{scene.slug}/reports/liability/exe/").status_code == 404


def test_the_desk_cannot_ask_about_another_companys_home(scene: Scene, other: Scene, signed_in: Any) -> None:
    asked = f"/console/{scene.slug}/reports/statement/?home={other.wallets[0]}"
    assert signed_in(scene.operator).get(asked).status_code == 404


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("from=2026-13-01&to=2026-11-02", "names no day"),
        ("from=2026-11-05&to=2026-11-02", "ends before it begins"),
        ("from=2027-01-01&to=2027-01-31", "not begun yet"),
        ("from=2026-11-01&to=2026-11-02&as_of=x", "names no day"),
    ],
)
def test_a_question_without_an_answer_is_told_in_words(
    scene: Scene, signed_in: Any, query: str, said: str
) -> None:
    for ending in ("", "csv/"):
        answer = signed_in(scene.operator).get(f"/console/{scene.slug}/reports/liability/{ending}?{query}")
        assert answer.status_code == 400 and said in answer.content.decode()


def test_as_of_a_day_shows_what_the_ledger_said_then(scene: Scene, signed_in: Any) -> None:
    client, path = signed_in(scene.operator), f"/console/{scene.slug}/reports/liability/"
    then = client.get(f"{path}?from=2026-11-01&to=2026-11-30&as_of=2026-11-10").content
    assert then != client.get(path).content


def test_bookkeepers_enter_bills_and_statements_and_administrators_close(
    house: Any, signed_in: Any, clock: Any
) -> None:
    from fairwatt.store.models import SupplierBill, TrustStatement
    from fairwatt.web.access import Scope, seeing

    scene = Scene(floors=1, columns=3)
    scene.live()
    path = f"/console/{scene.slug}/bookkeeping/"
    clerk, admin = signed_in(scene.operator), signed_in(administrator(scene))
    bill = {
        "action": "bill",
        "supplier": "State Grid",
        "number": "2026-11",
        "first": "2026-11-01",
        "last": "2026-11-20",
        "energy": "1 234.567",
        "net": "700.5",
        "tax": "91.065",
        "cap": "0.9",
        "cap_with_tax": "on",
    }
    wrong = clerk.post(path, {**bill, "energy": "12,3.4567x"})
    assert wrong.status_code == 422 and "at most 3 decimals" in wrong.content.decode()
    assert clerk.post(path, bill).status_code == 302
    assert "entered before" in clerk.post(path, bill).content.decode()
    trust = {
        "action": "trust",
        "account": "ICBC 88",
        "day": "2026-11-20",
        "balance": "500",
        "reference": "11/2026",
    }
    assert clerk.post(path, trust).status_code == 302
    page = clerk.get(path).content.decode()
    assert "State Grid" in page and "1,234.567 kWh" in page and "ICBC 88" in page
    assert "500.00 CNY" in clerk.get(f"/console/{scene.slug}/reports/liability/").content.decode()
    with seeing(scope=Scope(books=(scene.book,))):
        old = SupplierBill.objects.get(book=scene.book)
        statement = TrustStatement.objects.get(book=scene.book)
    form = clerk.get(f"{path}?replace-bill={old.pk}").content.decode()
    assert (
        "This replaces State Grid 2026-11" in form and 'value="1234.567"' in form and 'value="700.5"' in form
    )
    assert clerk.post(path, {**bill, "net": "710", "replaces": str(old.pk)}).status_code == 302
    said = clerk.get(f"{path}?replace-statement={statement.pk}").content.decode()
    assert "replaced" in said and "This replaces ICBC 88 11/2026" in said and "710.00" in said
    assert clerk.get(f"{path}?replace-bill=99999999").status_code == 404
    refused = clerk.post(path, {"action": "close", "month": "2026-10"})
    assert refused.status_code == 422 and "may not enter this" in refused.content.decode()
    assert "not over yet" in admin.post(path, {"action": "close", "month": "2026-11"}).content.decode()
    assert admin.post(path, {"action": "close", "month": "2026-10"}).status_code == 302
    pack = admin.get(f"{path}2026-10/")
    assert body(pack).startswith(b"PK") and pack["X-Fairwatt-Digest"] in admin.get(path).content.decode()


def test_a_doubt_becomes_a_case_is_ruled_and_approved_by_another(scene: Scene, signed_in: Any) -> None:
    from fairwatt.store.models import Dispute, Fact

    owner, clerk, admin = signed_in(scene.owner), signed_in(scene.operator), signed_in(administrator(scene))
    charges = owner.get(f"/home/{scene.public_id(0)}/charges/").content.decode()
    seq = int(charges.partition("/doubt/")[2].partition("/")[0])
    link = charges.partition('class="doubt" href="')[2].partition('"')[0]
    with CaptureQueriesContext(connection) as asked:
        assert owner.get(link).status_code == 200
        opened = owner.post(link, {"reason": "reading", "words": "<b>away</b>"})
        mine = opened["Location"]
        assert "?at=" in owner.get(mine).content.decode(), "and from the case back to its line"
    ledger = [q["sql"] for q in asked if re.search(r'FROM "?line"? ', q["sql"])]
    assert ledger and all(re.search(r'ts"? (BETWEEN|=)', sql) for sql in ledger), ledger
    with as_role("poster"):
        case = Dispute.objects.get(wallet=scene.wallets[0], line_seq=seq)
    desk = f"/console/{scene.slug}/disputes/{case.public_id}/"
    assert (
        owner.post(mine, {"action": "say", "evidence": SimpleUploadedFile("a.exe", b"MZ\x00")}).status_code
        == 422
    )
    photo = SimpleUploadedFile("meter.jpg", b"\xff\xd8\xff a photo")
    assert owner.post(mine, {"action": "say", "words": "See.", "evidence": photo}).status_code == 302
    page = clerk.get(desk).content.decode()
    assert "&lt;b&gt;away&lt;/b&gt;" in page and "meter.jpg" in page
    file = clerk.get(desk + "files/" + page.partition(f"{desk}files/")[2].partition('"')[0])
    assert file.content == b"\xff\xd8\xff a photo" and file["Content-Disposition"].startswith("attachment")
    assert owner.post(mine, {"action": "rule", "refund": "0.01", "words": "for me"}).status_code == 404
    assert clerk.post(desk, {"action": "rule", "refund": "999", "words": "x"}).status_code == 422
    assert clerk.post(desk, {"action": "rule", "refund": "0.000001", "words": "Misread."}).status_code == 302
    assert clerk.post(desk, {"action": "approve"}).status_code == 422
    assert owner.post(mine, {"action": "say", "words": "And now?"}).status_code == 302
    page = admin.get(desk).content.decode()
    assert "Approve and give back" in page, "a message after the ruling does not hide its approval"
    seen = page.partition('name="ruling" value="')[2].partition('"')[0]
    stale = {"action": "approve", "words": "", "ruling": str(int(seen) - 1)}
    assert admin.post(desk, stale).status_code == 422
    assert admin.post(desk, {**stale, "ruling": seen}).status_code == 302
    assert "money given back" in owner.get(mine).content.decode()
    with as_role("poster"):
        (fact,) = Fact.objects.filter(book=scene.book, kind="adjustment", wallet=scene.wallets[0])
    scene.post(now_us=NOW_US)
    with as_role("poster"):
        assert Fact.objects.get(pk=fact.pk).result["amount_micro"] == 1
    assert owner.get(f"/home/{scene.public_id(0)}/doubt/{seq}/")["Location"] == mine
    assert "money given back" in clerk.get(f"/console/{scene.slug}/disputes/").content.decode()


def test_a_case_of_the_neighbour_is_not_found_under_ones_own_home(scene: Scene, signed_in: Any) -> None:
    case = disputed(scene, seq=11)
    neighbour = signed_in(scene.neighbour)
    assert neighbour.get(f"/home/{scene.public_id(1)}/disputes/{case.public_id}/").status_code == 404


def test_an_auditor_reads_cases_and_decides_nothing(scene: Scene, signed_in: Any) -> None:
    case = disputed(scene, seq=13)
    path = f"/console/{scene.slug}/disputes/{case.public_id}/"
    auditor = signed_in(scene.auditor)
    assert "Add to the case" not in auditor.get(path).content.decode()
    assert auditor.post(path, {"action": "rule", "refund": "0", "words": "x"}).status_code == 404
    assert auditor.post(path, {"action": "say", "words": "x"}).status_code == 422
