"""Setting a page: typst, in a face that has Chinese, with nothing of the machine it is set on."""

from __future__ import annotations

import importlib.resources
import io
import json
from collections.abc import Mapping
from typing import Any, Final

import segno
import typst

_FACE: Final = importlib.resources.files("noto_cjk_sans_otc")
_SHEETS: Final = importlib.resources.files("fairwatt.reports")


def set_sheet(*, sheet: str, content: Mapping[str, Any], at_us: int, archived: bool = False) -> bytes:
    """The PDF of a sheet of this room (``receipt`` is receipt.typ) with its content; the same gives the same bytes.

    ``at_us`` is written into it as the instant at which it was made. ``archived``: as PDF/A-3b, which may carry files.
    """
    with importlib.resources.as_file(_FACE) as face:
        faces: list[str] = [str(face)]
        made = typst.compile(
            (_SHEETS / f"{sheet}.typ").read_text(encoding="utf-8").encode(),
            font_paths=typst.Fonts(
                include_system_fonts=False, include_embedded_fonts=False, font_paths=faces
            ),
            sys_inputs={"content": json.dumps(content, ensure_ascii=False)},
            timestamp=at_us // 1_000_000,
            pdf_standards=["a-3b"] if archived else [],
        )
    assert isinstance(made, bytes), "one PDF"
    return made


def drawn_code(url: str, /) -> str:
    """A QR code that leads to an address, as SVG."""
    drawn = io.BytesIO()
    segno.make(url, error="m").save(drawn, kind="svg", border=1, xmldecl=False, nl=False)
    return drawn.getvalue().decode()
