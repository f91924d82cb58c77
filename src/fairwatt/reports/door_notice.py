"""A notice for the door: one A4 page in both languages, with a code that leads to the home's page."""

from __future__ import annotations

import importlib.resources
import io
import json
from dataclasses import asdict, dataclass
from typing import Final

import segno
import typst

_FACE: Final = importlib.resources.files("noto_cjk_sans_otc")
_SHEET: Final = importlib.resources.files("fairwatt.reports") / "door_notice.typ"


@dataclass(frozen=True, kw_only=True)
class DoorNotice:
    """What it says. `least`: what has to be paid at least, or empty where there is credit."""

    organisation: str
    place: str
    balance: str
    least: str
    number: str
    made: str
    url: str
    at_us: int


def set_notice(*, said: DoorNotice) -> bytes:
    """The PDF; the same notice gives the same bytes."""
    drawn = io.BytesIO()
    segno.make(said.url, error="m").save(drawn, kind="svg", border=1, xmldecl=False, nl=False)
    content = {**asdict(said), "code": drawn.getvalue().decode()}
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
