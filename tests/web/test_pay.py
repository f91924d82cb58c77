"""The door of the callbacks believes signatures only, and the steps follow the facts."""

from __future__ import annotations

from typing import Any

import pytest

from web.scene import HOUR_US, NOW_US, Scene


@pytest.fixture
def our_ref(scene: Scene) -> str:
    from fairwatt.flows.start_top_up import start_top_up

    return start_top_up(
        wallet_id=scene.wallets[4], amount_minor=2_000, provider="sandbox", user_id=None, now_us=NOW_US
    ).our_ref


def steps_of(our_ref: str) -> Any:
    from fairwatt.store.models import PaymentIntent
    from fairwatt.web.progress import progress

    return progress(intent=PaymentIntent.objects.get(our_ref=our_ref))


def call(
    scene: Scene, signed_in: Any, headers: dict[str, str], body: bytes, provider: str = "sandbox"
) -> Any:
    return signed_in(None).post(
        f"/pay/callback/{provider}", body, content_type="application/json", headers=headers
    )


def test_a_signed_callback_is_stored_once_and_answered_twice(
    scene: Scene, signed_in: Any, our_ref: str
) -> None:
    from fairwatt.store.models import Fact
    from fairwatt.web.access import Scope, seeing

    headers, body = scene.callback(our_ref=our_ref, amount_minor=2_000, now_us=NOW_US, currency="CNY")
    for _ in range(2):
        response = call(scene, signed_in, headers, body)
        assert (response.status_code, response.json()) == (200, {"code": "OK"})
    with seeing(scope=Scope(books=(scene.book,))):
        assert sum(our_ref.encode() in bytes(fact.raw) for fact in Fact.objects.filter(kind="payment")) == 1


def test_a_changed_byte_is_refused(scene: Scene, signed_in: Any, our_ref: str) -> None:
    headers, body = scene.callback(our_ref=our_ref, amount_minor=2_000, now_us=NOW_US, currency="CNY")
    response = call(scene, signed_in, headers, body.replace(b"2000", b"9000"))
    assert (response.status_code, response.json()["code"]) == (400, "bad_signature")
    assert steps_of(our_ref).paid_us is None


def test_an_old_callback_is_refused(scene: Scene, signed_in: Any, our_ref: str) -> None:
    headers, body = scene.callback(
        our_ref=our_ref, amount_minor=2_000, now_us=NOW_US - HOUR_US, currency="CNY"
    )
    assert call(scene, signed_in, headers, body).json()["code"] == "stale"


def test_a_provider_nobody_set_up_is_not_found(scene: Scene, signed_in: Any) -> None:
    assert call(scene, signed_in, {}, b"{}", provider="nobody").status_code == 404


def test_the_door_needs_no_cookie_and_takes_no_get(scene: Scene, signed_in: Any) -> None:
    assert signed_in(None).get("/pay/callback/sandbox").status_code == 405


def test_the_steps_follow_the_facts(scene: Scene, signed_in: Any, our_ref: str) -> None:
    assert (steps_of(our_ref).paid_us, steps_of(our_ref).settled) == (None, False)
    headers, body = scene.callback(our_ref=our_ref, amount_minor=2_000, now_us=NOW_US, currency="CNY")
    call(scene, signed_in, headers, body)
    paid = steps_of(our_ref)
    assert (paid.paid_us, paid.credited_us) == (NOW_US, None)
    scene.post(now_us=NOW_US, obey=False)
    credited = steps_of(our_ref)
    assert (credited.credited_us, credited.confirmed_us) == (NOW_US, None)


@pytest.mark.parametrize("state", ["expired", "failed", "closed"])
def test_a_payment_that_is_over_is_in_one_state_and_leads_to_a_new_one(
    scene: Scene, signed_in: Any, state: str
) -> None:
    from fairwatt.flows.start_top_up import start_top_up
    from fairwatt.store.models import PaymentIntent
    from support.house import as_role

    our_ref = start_top_up(
        wallet_id=scene.wallets[0], amount_minor=2_000, provider="sandbox", user_id=None, now_us=NOW_US
    ).our_ref
    client = signed_in(scene.owner)
    assert "waiting for the word" in client.get(f"/pay/{our_ref}/").content.decode()
    with as_role("migrate"):
        PaymentIntent.objects.filter(our_ref=our_ref).update(state=state)
    page = client.get(f"/pay/{our_ref}/").content.decode()
    assert "Nothing was taken" in page
    for waiting in ("waiting for the word", "not yet", "Look again", "has not answered yet"):
        assert waiting not in page, waiting
    assert f'href="/home/{scene.public_id(0)}/#top-up">Begin a new payment' in page


def test_a_wrong_amount_is_shown_as_being_checked(scene: Scene, other: Scene, signed_in: Any) -> None:
    from fairwatt.flows.start_top_up import start_top_up

    ref = start_top_up(
        wallet_id=other.wallets[0], amount_minor=500, provider="sandbox", user_id=None, now_us=NOW_US
    ).our_ref
    headers, body = other.callback(our_ref=ref, amount_minor=499, now_us=NOW_US, currency="CNY")
    assert call(other, signed_in, headers, body).status_code == 200
    other.post(now_us=NOW_US)
    assert steps_of(ref).in_review
    page = signed_in(other.owner).get(f"/pay/{ref}/").content.decode()
    assert "Asked for: <b>¥5.00</b>. Received: <b>¥4.99</b>." in page
    assert "nothing was added to your balance" in page
    home = signed_in(other.owner).get(f"/home/{other.public_id(0)}/").content.decode()
    assert "Received: <b>¥4.99</b>" in home and f"/pay/{ref}/" in home
    desk = signed_in(other.operator).get(f"/console/{other.slug}/").content.decode()
    assert "0101: asked for ¥5.00, received ¥4.99" in desk
    assert "Claim it for its home with a second person" in desk and "two-people" in desk
