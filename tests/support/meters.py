"""Pictures of meters and steps of their checklists, as a technician would send them."""

from __future__ import annotations

import io
from typing import Any

from PIL import Image

SEEN = {
    "scanned": {"address": "202700000001"},
    "mapped": {},
    "ratio": {"primary": 1, "secondary": 1},
    "pulse": {"watts": 2_000, "verdict": "proven"},
    "certificate": {"number": "C-1"},
    "seal": {"seal": "S-77"},
}
"""What is found at a meter where everything is as it should be, the opening reading apart."""


def picture(form: str = "JPEG", *, size: tuple[int, int] = (640, 480), **more: Any) -> bytes:
    """A picture of something."""
    made = io.BytesIO()
    image = Image.new("RGB", size, (20, 90, 60))
    image.paste((240, 240, 230), (size[0] // 4, size[1] // 3, size[0] * 3 // 4, size[1] * 2 // 3))
    image.save(made, form, **more)
    return made.getvalue()


def record(
    book: int, meter: int, step: str, value: dict[str, Any], *, user: int, now_us: int, **more: Any
) -> int:
    """One step, as the web writes it."""
    from fairwatt.flows.commission import record_step

    about = {"words": "", "photo": picture() if step == "opening" else None, **more}
    return record_step(
        book_id=book, meter_id=meter, step=step, value=value, user_id=user, now_us=now_us, **about
    )
