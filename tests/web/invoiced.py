"""A book that invoices: who sells is set up, and the first home has a document."""

from __future__ import annotations

from support.house import as_role
from web.accounts import administrator
from web.scene import NOW_US, Scene

SELLER = {
    "name": "Maple Living",
    "tax_number": "91110000600037341L",
    "street": "Maple Street 1",
    "city": "Shanghai",
    "postcode": "200000",
    "country": "CN",
}


def set_up(scene: Scene) -> None:
    """Who sells in the scene's book; a second time it is the same again."""
    from fairwatt.flows.invoicing.setting_up import set_up_invoices

    with as_role("migrate"):
        set_up_invoices(
            book_id=scene.book,
            moment="consumption",
            series=f"M{scene.book}",
            seller=SELLER,
            author="ada",
            now_us=NOW_US,
            untaxed="E",
            untaxed_words="Standing charges are exempt here",
        )


def invoiced(scene: Scene) -> int:
    """An invoice of everything the first home was charged."""
    from fairwatt.flows.invoicing.issuing import Asked, issue_for_home

    set_up(scene)
    asked = Asked(book_id=scene.book, wallet_id=scene.wallets[0], user_id=scene.operator.pk)
    (made,) = issue_for_home(asked=asked, now_us=NOW_US)
    return made


def on_its_way(scene: Scene) -> dict[str, list[object]]:
    """Addresses of a wave with one home that pays after use, and of a register on the round."""
    from datetime import date

    from fairwatt.flows.postpaid.homes import set_postpaid
    from fairwatt.flows.postpaid.waves import NewWave, plan_from, write_wave

    admin = administrator(scene)
    # The last home of the building: no other test looks at it.
    label = scene.labels[-1]
    set_postpaid(
        book_id=scene.book, homes=[label], due_day=15, words="old contract", user_id=admin.pk, now_us=NOW_US
    )
    new = NewWave(
        book_id=scene.book,
        name="First wave",
        day=date(2027, 1, 1),
        homes=[label],
        notice_days=30,
        grace_days=7,
        plan=plan_from(daily_micro=1_000_000, share_bp=2_000, week_cap_micro=None),
    )
    made = write_wave(new=new, user_id=admin.pk, now_us=NOW_US)
    return {
        "wave": [scene.slug, made],
        "stop": [scene.slug, scene.installations[0]],
        "again": [scene.slug, 10**6],
    }
