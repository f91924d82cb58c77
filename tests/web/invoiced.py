"""A book that invoices: who sells is set up, and the first home has a document."""

from __future__ import annotations

from support.house import as_role
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
