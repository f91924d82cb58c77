"""PDF, Excel, CSV: opened again, they hold the ledger's figures to the last digit, in both languages."""

from __future__ import annotations

import csv
import io
from decimal import Decimal
from typing import Any

import openpyxl
import pypdf
import pytest
from django.utils import translation
from openpyxl.utils import get_column_letter

from fairwatt.core.spans import local_datetime
from reports.conftest import Lived


def written(lived: Lived, name: str, form: str, **question: Any) -> bytes:
    from fairwatt.reports.document import opened
    from fairwatt.reports.forms import FORMS
    from fairwatt.reports.registry import REPORTS

    out = io.BytesIO()
    with opened(report=REPORTS[name], ask=lived.ask(**question)) as document:
        FORMS[form].write(document, out)
    return out.getvalue()


def pdf_text(content: bytes) -> str:
    return "\n".join(page.extract_text() for page in pypdf.PdfReader(io.BytesIO(content)).pages)


def exact(micro: int) -> str:
    text = f"{abs(micro) // 10**6}.{abs(micro) % 10**6:06d}"
    while text.endswith("0") and len(text.partition(".")[2]) > 2:
        text = text[:-1]
    return ("-" if micro < 0 else "") + text


IN_THE_FILES = {"journal"}
"""Too long for paper: the PDF says how many rows the files have."""


@pytest.mark.parametrize(
    ("name", "home"), [("statement", 0), ("fees", 0), ("month-end", None), ("bad-debt", None)]
)
@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_every_figure_and_total_is_on_paper_to_the_last_digit(
    lived: Lived, name: str, home: int | None, language: str
) -> None:
    from fairwatt.reports.registry import REPORTS

    made = lived.make(name, home=home)
    with translation.override(language):
        said = pdf_text(written(lived, name, "pdf", home=home))
        title = str(REPORTS[name].title)
    flat = said.replace("\n", " ").replace(",", "").replace("\N{MINUS SIGN}", "-")
    assert title in flat
    shapes = {c["key"]: c["shape"] for one in made["tables"] for c in one["columns"]}
    for one in made["tables"]:
        for key, total in one["totals"].items():
            if shapes[key] == "money":
                assert exact(total) in flat, (one["name"], key, exact(total))
        money = [n for n, column in enumerate(one["columns"]) if column["shape"] == "money"]
        for row in one["rows"] if one["name"] not in IN_THE_FILES else ():
            for n in money:
                assert row[n] is None or exact(row[n]) in flat
        if one["name"] in IN_THE_FILES:
            assert f"{len(one['rows'])} " in flat and "SHA-256" in flat
    assert made["digest"] in flat.replace(" ", ""), "the line that makes it proof"


def test_a_spreadsheet_holds_numbers_that_add_up_to_the_micro_unit(lived: Lived) -> None:
    made = lived.make("fees")
    (table,) = made["tables"]
    book = openpyxl.load_workbook(io.BytesIO(written(lived, "fees", "xlsx")))
    sheet = book.worksheets[1]
    rows = list(sheet.iter_rows(min_row=2, values_only=True))
    assert len(rows) == len(table["rows"]) + 1
    keys = [column["key"] for column in table["columns"]]
    for key in ("deducted_micro", "balance_micro", "tax_micro"):
        n = keys.index(key)
        for mine, theirs in zip(table["rows"], rows, strict=False):
            assert Decimal(str(theirs[n])).scaleb(6) == mine[n], (key, mine[n], theirs[n])
    at_us = keys.index("at_us")
    assert rows[0][at_us] == local_datetime(zone="Europe/London", at_us=table["rows"][0][at_us]).replace(
        tzinfo=None
    )
    for n in (at_us, keys.index("balance_micro")):
        width = sheet.column_dimensions[get_column_letter(n + 1)].width
        assert all(width > len(str(row[n])) for row in rows), (
            "what does not fit its column is shown as hashes"
        )
    n = keys.index("deducted_micro")
    assert Decimal(str(rows[-1][n])).scaleb(6) == table["totals"]["deducted_micro"]
    front = [
        cell for row in book.worksheets[0].iter_rows(values_only=True) for cell in row if cell is not None
    ]
    assert f"SHA-256 {made['digest']}" in front


def test_numbers_of_a_column_stand_under_each_other_and_keep_every_digit() -> None:
    from fairwatt.reports.cells import for_reading
    from fairwatt.reports.model import Column, Shape

    columns = [Column(key="what", title=""), Column(key="money", title="", shape=Shape.MONEY)]
    rows = for_reading(columns=columns, rows=[["a.5", "0.03075"], ["b", "-1163.62"], ["", ""]])
    assert rows == [["a.5", "0.03075"], ["b", "\N{MINUS SIGN}1,163.62000"], ["", ""]]


def test_a_csv_is_exact_text_and_no_formula(lived: Lived) -> None:
    from fairwatt.core.cells import harmless

    made = lived.make("statement")
    (table,) = made["tables"]
    rows = list(csv.reader(io.StringIO(written(lived, "statement", "csv").decode("utf-8-sig"))))
    start = next(n for n, row in enumerate(rows) if row and row[0] == "Day") + 1
    for mine, theirs in zip(table["rows"], rows[start:], strict=False):
        assert theirs[0] == mine[0]
        assert theirs[6] == exact(mine[6]) and theirs[7] == exact(mine[7])
    assert harmless("=cmd()") == "'=cmd()" and harmless("0101") == "0101"


@pytest.mark.parametrize("name", ["A\x0bB", "=HYPERLINK(1)", "@SUM(1)", "\x00=1", "\ud800"])
def test_a_hostile_name_is_shown_by_every_workbook_and_run_by_none(
    lived: Lived, name: str, monkeypatch: Any
) -> None:
    from fairwatt.reports import forms

    monkeypatch.setattr(forms, "caption", lambda _: [(name, name)])
    monkeypatch.setattr(forms, "how_to_verify", lambda *_: [name])
    monkeypatch.setattr(forms, "heading", lambda **_: name)
    book = openpyxl.load_workbook(io.BytesIO(written(lived, "month-end", "xlsx", home=None)))
    cells = [cell for sheet in book.worksheets for row in sheet.iter_rows() for cell in row]
    assert not [cell.coordinate for cell in cells if cell.data_type == "f"]
    assert forms.harmless(name) in [cell.value for cell in cells]
    rows = csv.reader(io.StringIO(written(lived, "month-end", "csv", home=None).decode("utf-8-sig")))
    assert not [cell for row in rows for cell in row if cell.startswith(("=", "@", "\x00"))]


@pytest.mark.parametrize("form", ["pdf", "json", "csv"])
def test_the_same_question_gives_the_same_bytes(lived: Lived, form: str) -> None:
    asked = {"home": None, "month": 8, "as_of_batch": 50, "as_of_us": lived.now_us}
    assert written(lived, "month-end", form, **asked) == written(lived, "month-end", form, **asked)


def test_the_digest_does_not_know_the_language(lived: Lived) -> None:
    with translation.override("zh-hans"):
        chinese = lived.make("collection", home=None)
    assert chinese == lived.make("collection", home=None)


def test_too_many_rows_for_paper_are_told_and_nothing_is_made(lived: Lived, monkeypatch: Any) -> None:
    from fairwatt.reports import paper
    from fairwatt.reports.model import TooLong

    monkeypatch.setattr(paper, "PDF_ROWS_MAX", 5)
    with pytest.raises(TooLong, match="too many for paper"):
        written(lived, "fees", "pdf")


def test_every_report_has_a_title_in_both_languages_and_a_row_in_the_guide(lived: Lived) -> None:
    from pathlib import Path

    from fairwatt.reports.registry import REPORTS

    guide = (Path(__file__).parents[2] / "docs" / "guides" / "reports.md").read_text()
    for name, report in REPORTS.items():
        with translation.override("en"):
            english = str(report.title), str(report.about)
        with translation.override("zh-hans"):
            chinese = str(report.title), str(report.about)
        assert all(one != other for one, other in zip(english, chinese, strict=True)), name
        assert f"| `{name}` | {english[0]} |" in guide, name
