"""The page of corrections: what a corrected tariff comes to, and that another person posts it."""

from __future__ import annotations

from typing import Any

import pytest

from fairwatt.server.launcher.services import Services
from web.accounts import administrator, correcting
from web.scene import NOW_US, Scene


@pytest.fixture(scope="module")
def small(house: Services) -> Scene:
    """A small building of its own: correcting its tariff is nobody else's business."""
    made = Scene(floors=1, columns=3)
    made.live()
    return made


def test_another_person_confirms_and_the_page_follows_until_it_is_posted(
    small: Scene, signed_in: Any
) -> None:
    path = f"/console/{small.slug}/corrections/"
    desk = signed_in(administrator(small))
    assert "No tariff is being corrected" in desk.get(path).content.decode()
    row = correcting(small, reason="The decree says another day price.")
    page = desk.get(path).content.decode()
    assert "The decree says another day price." in page and "Confirm and post" in page
    assert page.count("<rect ") == sum(count > 0 for count in row.preview["bands"]) > 0
    assert "Confirm and post" not in signed_in(small.operator).get(path).content.decode()

    refused = desk.post(path, {"correction": row.pk, "note": " "})
    assert refused.status_code == 422 and "Say why this correction is right" in refused.content.decode()
    assert desk.post(path, {"correction": "99999", "note": "x"}).status_code == 422
    assert desk.post(path, {"correction": row.pk, "note": "read the decree"}).status_code == 302
    waiting = desk.get(path).content.decode()
    assert "<progress " in waiting and "Confirm and post" not in waiting

    for _ in range(3):
        small.post(now_us=NOW_US)
    posted = desk.get(path).content.decode()
    assert f"and posted to {row.preview['registers']} homes" in posted
