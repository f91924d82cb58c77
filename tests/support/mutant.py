"""The `fairwatt` program with one law broken on purpose: `python mutant.py NAME headend --book 1`.

Each mutant changes one thing that a hurried engineer might get wrong. A run of the street must notice.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any

CRASH_AT_BATCH = 40


def ack_before_commit() -> None:
    """Acknowledge, then crash before the commit, once: what a gateway deleted is then gone."""
    import asyncio

    import nats

    from fairwatt.headend import backbone
    from fairwatt.server.config import Config
    from fairwatt.store import posting as module
    from fairwatt.store.models import Gateway
    from fairwatt.wire import topics
    from fairwatt.wire.frames import encode_ack

    posting: Any = module
    marker = Path(os.environ["FAIRWATT_STATE"]) / "crashed-once"
    store_heads = posting._move_gateways

    async def publish(acks: list[tuple[str, bytes]]) -> None:
        client = await nats.connect(Config.load().backbone_url())
        for subject, ack in acks:
            await client.publish(subject, ack)
        await client.drain()

    def hasty(cursor: Any, book: int, gateways: Any, now_us: int) -> None:
        store_heads(cursor, book, gateways, now_us)
        # Only a batch that holds readings can lose some.
        cursor.execute(
            "SELECT last_batch, lines FROM shard JOIN batch ON batch.book = shard.book AND batch = last_batch "
            "WHERE shard.book = %s",
            [book],
        )
        batch, lines = cursor.fetchone()
        if not gateways or batch < CRASH_AT_BATCH or lines < 2 or marker.exists():
            return
        marker.touch()
        at = {g.pk: g for g in Gateway.objects.select_related("site")}
        acks = [
            (
                topics.down_subject(book=str(book), site=at[g].site.slug, gateway=at[g].slug),
                encode_ack(epoch=epoch, seq=seq, now_us=now_us),
            )
            for g, epoch, seq in gateways
        ]
        asyncio.run(publish(acks))
        time.sleep(2)  # until the log knows that its frames are done, and gateways have let go of theirs
        os._exit(9)

    posting._move_gateways = hasty
    intake: Any = backbone.Intake
    take = intake.take

    async def taken_for_done(self: Any, **limits: Any) -> Any:
        frames = await take(self, **limits)
        if frames:
            await self.done(frames[-1])
        return frames

    intake.take = taken_for_done


def charge_a_duplicate() -> None:
    """Charge the first reading of a batch twice whenever something came twice."""
    import numpy as np

    from fairwatt.flows.posting import preparing as module

    preparing: Any = module
    charge = preparing.charge_forward

    def twice(**kwargs: Any) -> Any:
        lines, wallets = charge(**kwargs)
        repeated = kwargs["intake"].repeated_items or kwargs["sifted"].duplicates
        if not repeated or not len(lines):
            return lines, wallets
        again = lines[:1].copy()
        again["ts"] += 1
        return np.concatenate((lines, again)), np.append(wallets, wallets[0])

    preparing.charge_forward = twice


def round_per_interval() -> None:
    """Forget the fraction of a micro-unit after each interval."""
    from fairwatt.flows.posting import charging as module

    charging: Any = module
    rate = charging.rate_rows

    def rounded(**kwargs: Any) -> Any:
        kwargs["carry_nano"] = kwargs["carry_nano"] * 0
        kwargs["carry_tax"] = kwargs["carry_tax"] * 0
        return rate(**kwargs)

    charging.rate_rows = rounded


def never_warn() -> None:
    """Tell nobody that credit is running out."""
    from fairwatt.flows.posting import deciding as module

    deciding: Any = module
    deciding._warn = lambda *_, **__: None


def never_cut() -> None:
    """Decide everything, cut nobody."""
    from dataclasses import replace

    from fairwatt.core.credit.decide import Action
    from fairwatt.flows.posting import deciding as module

    deciding: Any = module
    decide = deciding.decide_supply

    def lenient(**kwargs: Any) -> Any:
        decision = decide(**kwargs)
        return replace(decision, action=Action.KEEP) if decision.action is Action.CUT else decision

    deciding.decide_supply = lenient


def lease_it_twice() -> None:
    """Let each gateway of a household use all that the household has."""
    from fairwatt.flows.posting import leasing as module

    leasing: Any = module
    divide = leasing.next_leases

    def whole(*, available_micro: int, meters: Any) -> Any:
        shares = divide(available_micro=available_micro, meters=meters)
        return {n: share._replace(granted_micro=max(0, available_micro)) for n, share in shares.items()}

    def short(*, available_micro: int, meters: Any, ordered: Any = ()) -> set[int]:
        return {n for n, one in meters.items() if one.newest_micro < available_micro // 2} - set(ordered)

    leasing.next_leases, leasing.to_renew = whole, short


MUTANTS = {
    m.__name__: m
    for m in (
        ack_before_commit,
        charge_a_duplicate,
        round_per_interval,
        never_warn,
        never_cut,
        lease_it_twice,
    )
}


def main() -> None:
    """Break the law in the head-end; every other process is the real one."""
    from fairwatt.cli.main import main as fairwatt
    from fairwatt.server.wiring import use_django

    name, *arguments = sys.argv[1:]
    sys.argv = ["fairwatt", *arguments]
    if arguments[0] == "headend":
        use_django(role="poster")
        MUTANTS[name]()
    fairwatt()


if __name__ == "__main__":
    main()
