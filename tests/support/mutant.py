"""The `fairwatt` program with one law broken on purpose: `python mutant.py NAME headend --book 1`.

Each mutant changes one thing that a hurried engineer might get wrong. A run of the street must notice.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

CRASH_AT_BATCH = 120


def ack_before_commit() -> None:
    """Acknowledge, then crash before the commit, once: what a gateway deleted is then gone."""
    from fairwatt.headend import main
    from fairwatt.wire.frames import decode_up

    marker = Path(os.environ["FAIRWATT_STATE"]) / "crashed-once"
    turn = main.HeadEnd._turn

    async def hasty(self: Any, client: Any, intake: Any, desk: Any) -> None:
        if desk.state.last_batch < CRASH_AT_BATCH or marker.exists():
            await turn(self, client, intake, desk)
            return
        frames = await intake.take(most=100)
        heads = {}
        for frame in frames:
            up = decode_up(frame.data)
            if up.items:
                heads[desk.state.gateway_ids[frame.gateway]] = (up.epoch, up.items[-1].seq)
        if not heads:
            return
        for gateway, (epoch, seq) in heads.items():
            ack = main.encode_ack(epoch=epoch, seq=seq, now_us=self._clock.now_us())
            await client.publish(self._down(desk.state, gateway), ack)
        await intake.done(frames[-1])
        await client.flush()
        marker.touch()
        os._exit(9)

    main.HeadEnd._turn = hasty  # type: ignore[method-assign]


def charge_a_duplicate() -> None:
    """Charge the first reading of a batch twice whenever something came twice."""
    import numpy as np

    from fairwatt.flows.posting import post_batch

    charge = post_batch.charge_forward

    def twice(**kwargs: Any) -> Any:
        lines, wallets = charge(**kwargs)
        repeated = kwargs["intake"].repeated_items or kwargs["sifted"].duplicates
        if not repeated or not len(lines):
            return lines, wallets
        again = lines[:1].copy()
        again["ts"] += 1
        return np.concatenate((lines, again)), np.append(wallets, wallets[0])

    post_batch.charge_forward = twice


def round_per_interval() -> None:
    """Forget the fraction of a micro-unit after each interval."""
    from fairwatt.flows.posting import charging

    rate = charging.rate_rows

    def rounded(**kwargs: Any) -> Any:
        kwargs["carry_nano"] = kwargs["carry_nano"] * 0
        kwargs["carry_tax"] = kwargs["carry_tax"] * 0
        return rate(**kwargs)

    charging.rate_rows = rounded


MUTANTS = {m.__name__: m for m in (ack_before_commit, charge_a_duplicate, round_per_interval)}


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
