"""Try a tariff: faults by line, the figures of the ledger, and files that hold them."""

from __future__ import annotations

import io
import json
import re
from hashlib import sha256
from typing import Any

import openpyxl
import pypdf
import pytest

from support.house import as_role
from web.scene import TARIFF, Scene

DEARER = TARIFF.replace('"0.568", "0.618", "0.868"', '"0.868", "0.918", "1.168"')


def asked(text: str, **more: str) -> dict[str, str]:
    days = {"first": "2026-11-05", "last": "2026-11-20"}
    return {"text": text, "plan": "home", **days, "dates": "auto", **more}


def figures(scene: Scene, signed_in: Any, text: str) -> dict[str, Any]:
    answer = signed_in(scene.operator).post(f"/console/{scene.slug}/try-tariff/", asked(text, form="json"))
    made: dict[str, Any] = json.loads(b"".join(answer))
    return made


def test_the_tariff_in_force_tried_against_itself_is_what_the_ledger_charged(
    scene: Scene, signed_in: Any
) -> None:
    from django.db import connection

    made = figures(scene, signed_in, TARIFF)
    said = made["figures"]
    assert said["old"] == said["new"] and said["difference"] == 0 and said["same"] == said["homes"]
    start_us = scene.opened_us
    with as_role("poster"), connection.cursor() as cursor:
        cursor.execute(
            "SELECT sum(energy_micro), sum(standing_micro), sum(tax_micro) FROM line WHERE book = %s AND kind = 1 "
            "AND ts > to_timestamp(%s) AND ts <= to_timestamp(%s)",
            [scene.book, start_us // 10**6, start_us // 10**6 + 16 * 86_400],
        )
        energy, standing, tax = map(int, cursor.fetchone())
    revenue = {row[0]: row[1] for row in next(t for t in made["tables"] if t["name"] == "revenue")["rows"]}
    assert revenue == {"energy": energy, "standing": standing, "settled": 0, "tax": tax}


def test_a_dearer_day_is_seen_home_by_home_and_cuts_sooner(scene: Scene, signed_in: Any) -> None:
    made = figures(scene, signed_in, DEARER)
    said, tables = made["figures"], {t["name"]: t for t in made["tables"]}
    assert said["more"] == said["homes"] and said["difference"] == said["new"] - said["old"] > 0
    assert sum(row[4] for row in tables["homes"]["rows"]) == said["difference"]
    assert len(tables["most_more"]["rows"]) == 10 and tables["most_less"]["rows"] == []
    assert said["sooner"] > 0 and said["later"] == 0 and said["new_dark"] > said["old_dark"]


def test_faults_are_shown_by_line_and_nothing_is_computed(scene: Scene, signed_in: Any) -> None:
    client = signed_in(scene.operator)
    broken = TARIFF.replace("counter: month", "counter: fortnight")
    answer = client.post(f"/console/{scene.slug}/try-tariff/", asked(broken))
    page = answer.content.decode()
    assert answer.status_code == 422
    assert re.search(
        r"<b>Line \d+</b> This is none of the words that are known here. <span[^>]*>[^<]*fortnight", page
    )
    chinese = client.post(
        f"/console/{scene.slug}/try-tariff/", asked(broken), headers={"accept-language": "zh-CN"}
    )
    assert "这不是此处可用的词" in chinese.content.decode()
    empty = client.post(f"/console/{scene.slug}/try-tariff/", asked(" "))
    assert empty.status_code == 422 and "Paste a draft tariff" in empty.content.decode()
    euro = client.post(f"/console/{scene.slug}/try-tariff/", asked(TARIFF.replace("CNY", "EUR")))
    assert euro.status_code == 422 and "the draft EUR" in euro.content.decode()
    early = client.post(
        f"/console/{scene.slug}/try-tariff/", asked(TARIFF, first="2026-01-01", last="2026-01-05")
    )
    assert early.status_code == 422 and "no meter of this plan was read" in early.content.decode()


def test_the_page_draws_the_spread_and_the_paper_holds_its_figures(scene: Scene, signed_in: Any) -> None:
    client = signed_in(scene.operator)
    page = client.post(
        f"/console/{scene.slug}/try-tariff/", asked(DEARER.replace("\n", "\r\n"))
    ).content.decode()
    digest = sha256(DEARER.encode()).hexdigest()
    assert digest in page, "a browser sends other line ends, and the text is the same"
    assert '"kind": "spread"' in page and "The largest increases" in page
    said = figures(scene, signed_in, DEARER)
    exact = f"{said['figures']['new'] // 10**6}.{said['figures']['new'] % 10**6:06d}".rstrip("0")
    files = {
        form: [
            b"".join(client.post(f"/console/{scene.slug}/try-tariff/", asked(DEARER, form=form)))
            for _ in range(2 if form != "csv" else 1)
        ]
        for form in ("pdf", "xlsx", "csv")
    }
    assert files["pdf"][0] == files["pdf"][1] and files["xlsx"][0] == files["xlsx"][1], "the same bytes again"
    pages = pypdf.PdfReader(io.BytesIO(files["pdf"][0])).pages
    paper = "".join(page.extract_text() for page in pages).replace("\n", "").replace(",", "")
    assert exact in paper and said["figures"]["draft_sha256"] in paper and said["digest"] in paper
    sheets = openpyxl.load_workbook(io.BytesIO(files["xlsx"][0])).worksheets
    cells = {cell for row in sheets[0].iter_rows(values_only=True) for cell in row}
    assert said["figures"]["draft_sha256"] in cells and f"SHA-256 {said['digest']}" in cells
    assert exact in files["csv"][0].decode("utf-8-sig")


@pytest.mark.parametrize("who", ["owner", "neighbour"])
def test_a_resident_tries_nothing(scene: Scene, signed_in: Any, who: str) -> None:
    answer = signed_in(getattr(scene, who)).post(f"/console/{scene.slug}/try-tariff/", asked(TARIFF))
    assert answer.status_code == 404
