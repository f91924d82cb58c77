"""A charge can be opened from the account page; resident, desk and auditor read the same sentence."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

import pytest

from web.scene import MIDNIGHT_US, Scene

CHINESE = {"HTTP_ACCEPT_LANGUAGE": "zh-hans"}


def links(scene: Scene, signed_in: Any) -> list[str]:
    """The charges that the resident can open from today's page."""
    page = signed_in(scene.owner).get(f"/home/{scene.public_id(0)}/charges/").content.decode()
    return [unescape(found) for found in re.findall(r'class="to-line" href="([^"]+)"', page)]


def said(page: str) -> str:
    found = re.search(r'<p class="card said"[^>]*>(.*?)</p>', page, re.S)
    assert found is not None
    return unescape(found[1])


@pytest.mark.parametrize("language", [{}, CHINESE])
def test_resident_desk_and_auditor_read_the_same_sentence(
    scene: Scene, signed_in: Any, language: dict[str, str]
) -> None:
    found = links(scene, signed_in)
    assert len(found) > 10
    for address in (found[0], found[len(found) // 2]):
        pages = [
            signed_in(person).get(address, **language).content.decode()
            for person in (scene.owner, scene.operator, scene.auditor)
        ]
        assert len({said(page) for page in pages}) == 1
        assert all('class="worked"' in page for page in pages)


def test_the_sentence_of_a_charge_is_the_sum_of_the_ledger(scene: Scene, signed_in: Any) -> None:
    """4 kWh at one price, say, is that price times 4 to the last decimal, and the line's own amount is named."""
    found = links(scene, signed_in)
    # From the middle of the day: the newest may be of an interval without use.
    for address in found[len(found) // 2 :][:8]:
        page = signed_in(scene.owner).get(address).content.decode()
        sentence = said(page)
        amount = re.search(r'<h1 class="line-amount[^"]*">−¥([0-9.]+)</h1>', page)
        assert amount is not None and f"Charged ¥{amount[1]}" in sentence
        priced = re.search(
            r"([\d.]+) kWh from .* (?:peak|flat|valley|sharp)? ?¥([\d.]+)/kWh = ¥([\d.]+)", sentence
        )
        if priced:
            wh = _scaled(priced[1], 3)
            assert wh * _scaled(priced[2], 6) == _scaled(priced[3], 9)


def _scaled(text: str, places: int) -> int:
    whole, _, part = text.partition(".")
    return int(whole + part.ljust(places, "0"))


def test_the_sentence_is_natural_chinese(scene: Scene, signed_in: Any) -> None:
    found = links(scene, signed_in)
    sentence = said(signed_in(scene.owner).get(found[len(found) // 2], **CHINESE).content.decode())
    assert re.fullmatch(r"[\d:]+ 至 [\d:]+ 用电 [\d.]+ kWh，本月第 1 档（已用 .*）.*。", sentence), sentence
    assert not re.search(r"[a-z]{3,}", sentence.replace("kWh", "")), "no English is left over"


def test_the_desk_recomputes_the_whole_account(scene: Scene, signed_in: Any) -> None:
    address = links(scene, signed_in)[0]
    page = signed_in(scene.operator).get(f"{address}&replay=1").content.decode()
    assert re.search(r"\d+ lines without a gap, \d+ charges rated again", page)
    resident = signed_in(scene.owner).get(f"{address}&replay=1").content.decode()
    assert "rated again" not in resident and "Recompute" not in resident


@pytest.mark.parametrize("name", ["x", "1-2", "0-0-0", "1-1-99999999999", "1-1-1-1"])
def test_what_is_no_line_is_not_found(scene: Scene, signed_in: Any, name: str) -> None:
    assert signed_in(scene.operator).get(f"/lines/{name}/").status_code == 404


def test_the_command_says_the_same_sentence(scene: Scene, signed_in: Any) -> None:
    import json
    from contextlib import redirect_stdout
    from io import StringIO

    from fairwatt.cli.explaining import _explain
    from support.house import as_role

    address = links(scene, signed_in)[0]
    line_id = address.split("/")[2]
    with as_role("auditor"), redirect_stdout(StringIO()) as printed:
        assert _explain(line_id, as_json=True, replay=True)
    told = json.loads(printed.getvalue())
    assert told["sentence"] == said(signed_in(scene.owner).get(address).content.decode())
    assert told["id"] == line_id and told["agrees"] and told["replay"]["agrees"]
    assert told["interval"]["before"]["at_us"] >= MIDNIGHT_US
