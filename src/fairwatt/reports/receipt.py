"""A receipt on paper: A4, or a slip of 80 or 58 mm, with a code that leads to the page where it is verified."""

from __future__ import annotations

import importlib.resources
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import segno
import typst

PAPERS: Final = ("a4", "80", "58")
_FACE: Final = importlib.resources.files("noto_cjk_sans_otc")
_SHEET: Final = importlib.resources.files("fairwatt.reports") / "receipt.typ"


@dataclass(frozen=True, kw_only=True)
class Paper:
    """What a receipt says, in the reader's language. `mark`: that it was taken back, or empty."""

    title: str
    organisation: str
    place: str
    amount: str
    rows: Sequence[tuple[str, str]]
    mark: str
    verify: str
    url: str
    language: str
    at_us: int


def set_receipt(*, said: Paper, paper: str) -> bytes:
    """The PDF; the same receipt gives the same bytes. `paper` is one of PAPERS."""
    if paper not in PAPERS:
        raise ValueError(f"a receipt is set on one of {PAPERS}, not on {paper!r}")
    drawn = io.BytesIO()
    segno.make(said.url, error="m").save(drawn, kind="svg", border=1, xmldecl=False, nl=False)
    content = {
        "paper": paper,
        "language": "zh" if said.language.startswith("zh") else "en",
        "title": said.title,
        "organisation": said.organisation,
        "place": said.place,
        "amount": said.amount,
        "rows": list(said.rows),
        "mark": said.mark,
        "verify": said.verify,
        "url": said.url,
        "code": drawn.getvalue().decode(),
    }
    with importlib.resources.as_file(_FACE) as face:
        faces: list[str] = [str(face)]
        made = typst.compile(
            _SHEET.read_text(encoding="utf-8").encode(),
            font_paths=typst.Fonts(
                include_system_fonts=False, include_embedded_fonts=False, font_paths=faces
            ),
            sys_inputs={"content": json.dumps(content, ensure_ascii=False)},
            timestamp=said.at_us // 1_000_000,
        )
    assert isinstance(made, bytes), "one PDF"
    return made
