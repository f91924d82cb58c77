"""A home whose tariff prices water reads m³ on every page and paper of its own, and kWh on none."""

from __future__ import annotations

import io
import re
from html import unescape
from typing import Any

import pytest
from openpyxl import load_workbook

from fairwatt.server.launcher.services import Services
from web.scene import Scene
from web.test_lines import CHINESE, said
from web.test_reports import body

WATER = """
fairwatt_tariff: 1
name: Water
currency: CNY
zone: Asia/Shanghai
unit: m3
versions:
  - effective: 2026-01-01
    elements:
      - energy: {counter: month, blocks: [18, 25], prices: ["0.345", "0.483", "0.583"]}
      - standing: {per_day: "0.10"}
      - tax: {name: VAT, percent: "9", on: [energy]}
"""


@pytest.fixture(scope="module")
def spring(house: Services) -> Scene:
    """A small building with water meters."""
    made = Scene(tariff=WATER, floors=1, columns=3)
    made.live()
    return made


def charge_of(spring: Scene, resident: Any) -> str:
    """The page of a charge of the resident's, from the middle of a day."""
    page = resident.get(f"/home/{spring.public_id(0)}/charges/").content.decode()
    found = [unescape(one) for one in re.findall(r'class="to-line" href="([^"]+)"', page)]
    return found[len(found) // 2]


def visible(page: str) -> str:
    """What a person can meet on a page, drawings' data included; not the names of classes and fields."""
    return unescape(re.sub(r"<(?!script)[^>]*>", " ", page))


@pytest.mark.parametrize("language", [{}, CHINESE])
def test_no_page_of_a_water_home_speaks_of_kilowatt_hours(
    spring: Scene, signed_in: Any, language: dict[str, str]
) -> None:
    resident, home = signed_in(spring.owner), f"/home/{spring.public_id(0)}"
    line = charge_of(spring, resident)
    doubt = line.split("/lines/")[1].split("/")[0].split("-")[2]
    for address in (
        f"{home}/",
        f"{home}/charges/",
        f"{home}/reports/statement/",
        f"{home}/doubt/{doubt}/",
        line,
    ):
        answer = resident.get(address, **language)
        assert answer.status_code == 200, address
        page = visible(answer.content.decode())
        assert "kWh" not in page and " W " not in page, (address, page[max(0, page.find("kWh") - 80) :][:160])
        assert "m³" in page, address


def test_the_sentence_prices_a_cubic_metre(spring: Scene, signed_in: Any) -> None:
    resident = signed_in(spring.owner)
    sentence = said(resident.get(charge_of(spring, resident)).content.decode())
    assert re.search(
        r"[\d.]+ m³ from .* block \d of the month \([\d.]+ m³ (of 18 m³|.*)\), ¥[\d.]+/m³ = ¥", sentence
    )


def test_in_chinese_a_volume_is_no_electricity(spring: Scene, signed_in: Any) -> None:
    resident = signed_in(spring.owner)
    page = resident.get(charge_of(spring, resident), **CHINESE).content.decode()
    assert "用量" in said(page) and "用电" not in page


def test_the_statement_as_a_sheet_counts_cubic_metres(spring: Scene, signed_in: Any) -> None:
    answer = signed_in(spring.owner).get(f"/home/{spring.public_id(0)}/reports/statement/xlsx/")
    book = load_workbook(io.BytesIO(body(answer)))
    cells = [str(cell) for sheet in book for row in sheet.values for cell in row if cell is not None]
    assert not [cell for cell in cells if "kWh" in cell]
    assert "Energy (m³)" in cells and "m³" in cells
