"""A deposit at the window and on its page: held at once, seen by the desk, and no credit of the resident."""

from __future__ import annotations

import os
from typing import Any

from django.urls import reverse

from support.house import as_role
from web.cash import at_the_window
from web.scene import NOW_US, Scene


def test_money_taken_as_a_deposit_is_held_and_the_page_and_the_statement_say_so(
    other: Scene, signed_in: Any
) -> None:
    from fairwatt.flows.keep_deposit import deposits_of
    from fairwatt.store.models import Book, User

    with as_role("migrate"):
        # Somebody of their own: one person has one open shift, and other tests open theirs.
        person = User.objects.create_user(
            f"deposits-{other.book}", None, organisation=other.operator.organisation, role="operator"
        )
    at_the_window(other, name="Deposits", home=1, cashier=person)
    clerk, owner, auditor = signed_in(person), signed_in(other.owner), signed_in(other.auditor)
    page = reverse("console:deposits", args=[other.slug])
    taken = clerk.post(
        reverse("console:cash_take", args=[other.slug]),
        {
            "wallet": other.wallets[0],
            "ticket": os.urandom(16).hex(),
            "amount": "300",
            "tender": "cash",
            "deposit": "1",
        },
    )
    assert taken.status_code == 302
    other.post(now_us=NOW_US)
    assert "held as a deposit" in clerk.get(taken["Location"]).content.decode()
    (held,) = deposits_of(book=Book.objects.get(pk=other.book))
    assert (held.wallet, held.held_micro) == (other.wallets[0], 300_000_000)
    assert "¥300.00" in auditor.get(page).content.decode()
    charges = owner.get(reverse("tenant:charges", args=[other.public_id(0)])).content.decode()
    assert "Deposit" in charges
    statement = reverse("tenant:statement", args=[other.public_id(0), "statement"])
    assert "Deposit held, apart from the balance" in owner.get(statement).content.decode()

    form = {"home": other.labels[0], "amount": "1", "way": "credit", "ticket": os.urandom(16).hex()}
    assert auditor.post(page, form).status_code == 422
    assert clerk.post(page, {**form, "home": "nobody-lives-here"}).status_code == 422
    assert clerk.post(page, {**form, "amount": "99999"}).status_code == 422
    kept = clerk.post(page, form)
    assert kept.status_code == 302
    other.post(now_us=NOW_US)
    assert "Done" in clerk.get(kept["Location"]).content.decode()
    declared = clerk.post(page, {**form, "way": "declared", "words": "lease", "ticket": os.urandom(16).hex()})
    assert "It is held from an earlier time" in clerk.get(declared["Location"]).content.decode()
    back = {**form, "way": "freed", "amount": "301", "ticket": os.urandom(16).hex()}
    assert clerk.post(page, {**back, "words": ""}).status_code == 422
    assert auditor.post(page, {**back, "words": "mistake"}).status_code == 422
    freed = clerk.post(page, {**back, "words": "mistake"})
    assert "It becomes credit again" in clerk.get(freed["Location"]).content.decode()
    too_much = clerk.post(page, {**back, "amount": "302", "words": "again", "ticket": os.urandom(16).hex()})
    assert 'value="302"' in too_much.content.decode(), "what was typed stays where it was typed"
