"""A merchant account of a scene at a simulated platform that nobody asks: what is offered, and no more."""

from __future__ import annotations

from fairwatt.simulate.pay.books import Dialect
from support.house import as_role
from web.scene import NOW_US, Scene


def offered(scene: Scene, dialect: Dialect, *methods: str) -> int:
    """Open an account that offers these ways to pay; return its number."""
    from fairwatt.flows.merchants import add_account, offer
    from fairwatt.simulate.pay.world import World
    from fairwatt.web.providers import seals

    _, settings = World(url="http://127.0.0.1:9", seed=5, now_us=lambda: NOW_US).open_shop(dialect)
    with as_role("migrate"):
        key = add_account(
            organisation_id=scene.site.book.organisation_id,
            provider=dialect,
            label=dialect,
            settings={**settings, "currency": "CNY"},
            seals=seals(),
            token=f"{scene.book:016x}{dialect.encode().hex():0>16}"[:32],
            author="commissioning",
            now_us=NOW_US,
        )
        offer(account_id=key.account_id, methods=methods, author="commissioning", now_us=NOW_US)
    return int(key.account_id)
