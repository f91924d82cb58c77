"""The demo's supplier has an account at every simulated platform, so that a resident can pay in each of the ways."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Final

from fairwatt.payments.callbacks import address
from fairwatt.server.config import Config
from fairwatt.server.keys import MERCHANT_ACTING, MERCHANT_READING, load_sealing_public
from fairwatt.server.wiring import database_role
from fairwatt.simulate.pay.books import DIALECTS, Shop
from fairwatt.simulate.pay.world import World

if TYPE_CHECKING:
    from fairwatt.store.models import MerchantAccount

METHODS: Final = {
    "wechat": ["jsapi", "qr", "scan"],
    "alipay": ["qr", "redirect", "scan"],
    "stripe": ["redirect", "auto"],
    "mpesa": ["push", "paybill"],
}


def open_shops(*, world: World, organisation: str, currency: str, config: Config, now_us: int) -> None:
    """Open a shop at each platform and give its keys to the supplier; at a later start the new keys are laid over.

    The simulated platforms take the street's own currency, whatever the real ones take.
    """
    from fairwatt.flows import merchants
    from fairwatt.store.models import MerchantAccount, Organisation

    seals = merchants.Seals(
        reading=load_sealing_public(config.keys, name=MERCHANT_READING),
        acting=load_sealing_public(config.keys, name=MERCHANT_ACTING),
    )
    with database_role("migrate"):
        owner = Organisation.objects.get(slug=organisation)
        for dialect in DIALECTS:
            shop, settings = world.open_shop(dialect)
            settings["currency"] = currency
            shop.name = owner.name
            known = MerchantAccount.objects.filter(organisation=owner, provider=dialect).first()
            if known is None:
                made = merchants.add_account(
                    organisation_id=owner.pk,
                    provider=dialect,
                    label=dialect,
                    settings=settings,
                    seals=seals,
                    token=secrets.token_hex(merchants.TOKEN_BYTES),
                    author="commissioning",
                    now_us=now_us,
                )
                known = made.account
                merchants.offer(
                    account_id=known.pk, methods=METHODS[dialect], author="commissioning", now_us=now_us
                )
            else:
                merchants.add_keys(
                    account_id=known.pk,
                    settings=settings,
                    seals=seals,
                    author="commissioning",
                    now_us=now_us,
                )
            listen(world=world, shop=shop, account=known, config=config)


def listen(*, world: World, shop: Shop, account: MerchantAccount, config: Config) -> None:
    """Tell the platform that wants to know it beforehand where reports go."""
    if shop.dialect == "stripe":
        url = address(origin=config.web_origin(), provider=shop.dialect, token=account.token)
        world.stripe.listen(shop, url)
