"""A round with a phone, and a wave at the desk: second looks, two administrators, notices, a resident's page."""

from __future__ import annotations

import io
from typing import Any

from django.core.files.uploadedfile import SimpleUploadedFile
from PIL import Image

from support.house import as_role
from web.scene import NOW_US, Scene

DAY_US = 86_400_000_000


def photo(shade: int) -> SimpleUploadedFile:
    made = io.BytesIO()
    Image.new("RGB", (80, 60), (shade, 120, 90)).save(made, "JPEG")
    return SimpleUploadedFile("register.jpg", made.getvalue(), "image/jpeg")


def administrator(scene: Scene, name: str) -> Any:
    from fairwatt.store.models import User

    with as_role("migrate"):
        organisation = scene.site.book.organisation
        return User.objects.create_user(
            f"{name}-{scene.slug}", None, "x", organisation=organisation, role="admin"
        )


def test_a_register_is_read_with_a_phone_and_a_far_one_is_asked_again(
    other: Scene, signed_in: Any, clock: Any
) -> None:
    from django.urls import reverse

    client, n = signed_in(other.operator), len(other.homes) - 1
    rounds = reverse("console:rounds", args=[other.slug])
    page = reverse("console:round_stop", args=[other.slug, other.installations[n]])
    assert other.labels[n] in client.get(rounds).content.decode()
    clock.at_us = NOW_US + DAY_US
    shows = other.registers[other.homes[n]] / 1000
    assert client.post(page, {"register": f"{shows + 5:.3f}"}).status_code == 422  # no photo
    far = client.post(page, {"register": f"{shows + 400:.3f}", "photo": photo(1)}, follow=True)
    html = far.content.decode()
    assert "much more than this home uses" in html and "Read it once more" in html
    (again,) = {
        part.split('"')[0] for part in html.split('action="')[1:] if "/round/again/" in part.split('"')[0]
    }
    assert client.post(again, {"register": "1", "do": "confirm"}).status_code == 422
    assert client.post(again, {"do": "drop"}).status_code == 302
    taken = client.post(page, {"register": f"{shows + 5:.3f}", "photo": photo(2)})
    assert taken.status_code == 302 and taken["Location"] == rounds


def test_a_wave_is_looked_at_planned_by_one_and_agreed_to_by_another(
    other: Scene, signed_in: Any, clock: Any
) -> None:
    from django.urls import reverse

    ada, bea = administrator(other, "ada"), administrator(other, "bea")
    client, page = signed_in(ada), reverse("console:postpaid", args=[other.slug])
    typed = {"do": "set", "homes": other.labels[0], "due_day": "15", "words": "old contract"}
    assert client.post(page, {**typed, "homes": "nowhere"}).status_code == 422
    assert client.post(page, typed).status_code == 302
    home = signed_in(other.owner).get(reverse("tenant:home", args=[other.public_id(0)])).content.decode()
    assert "This home pays after use" in home and "No credit left" not in home
    wave = {
        "do": "look", "name": "First", "homes": f"{other.labels[0]}\n{other.labels[1]}", "day": "2027-01-01",
        "notice_days": "30", "grace_days": "7", "share": "20", "daily": "",
    }  # fmt: skip
    seen = client.post(page, wave).content.decode()
    assert "pays first already" in seen and "Plan it" not in seen
    wave["homes"] = other.labels[0]
    assert "Plan it" in client.post(page, wave).content.decode()
    made = client.post(page, {**wave, "do": "write"})
    assert made.status_code == 302
    where = made["Location"]
    assert client.post(where, {"step": "agreed"}).status_code == 422
    assert signed_in(bea).post(where, {"step": "agreed"}).status_code == 302
    notices = client.get(f"{where}notices.pdf")
    assert notices.status_code == 200 and notices.content.startswith(b"%PDF")
    assert client.post(where, {"step": "noticed", "wallet": other.wallets[0]}).status_code == 302
    assert "waits for its day" in client.get(where).content.decode()
