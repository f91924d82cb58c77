"""Desired state beside supply: carried out once, reported as it is, refused by name where a model cannot."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from edge.rig import GATEWAY_KEY, ISSUER, MINUTE_US, START_US, a_bench, a_command, eventually, run
from fairwatt.core.alarms.policy import default_policy, with_settings
from fairwatt.wire.commands import (
    Command,
    Result,
    decode_command,
    encode_command,
    sign_command,
    verify_receipt,
)
from fairwatt.wire.errors import BadShape, FrameError
from fairwatt.wire.standing import (
    Configure,
    LimitPower,
    SetClock,
    ShowPrices,
    Slot,
    Standing,
    TrustIssuer,
    Watch,
    shows,
    watch_digest,
)

NEXT = Ed25519PrivateKey.from_private_bytes(b"n" * 32)


def wish(
    body: Standing,
    slot: Slot,
    *,
    seq: int = 1,
    meter: int = 100,
    at_us: int = START_US,
    key: Any = ISSUER,
    kid: bytes = b"\x01",
) -> bytes:
    command = Command(
        meter=meter,
        kind=int(slot),
        seq=seq,
        issued_us=at_us,
        expires_us=at_us + 24 * 60 * MINUTE_US,
        amount_micro=0,
        order=bytes(8),
        body=body,
    )
    return sign_command(command=command, key=key, kid=kid)


@pytest.mark.parametrize(
    ("slot", "meter", "body"),
    [
        (Slot.LIMIT_POWER, 7, LimitPower(3_000)),
        (Slot.LIMIT_POWER, 7, LimitPower(None)),
        (Slot.SET_CLOCK, 7, SetClock(30)),
        (Slot.SHOW_PRICES, 7, ShowPrices(3, (("peak", 868_000), ("valley", 288_000)))),
        (Slot.TRUST_ISSUER, 0, TrustIssuer("gw1", b"\x02", bytes(32), b"\x01")),
        (Slot.CONFIGURE, 0, Configure("gw1", (("interval_s", 30),))),
        (Slot.WATCH, 7, Watch(default_policy(zone="Europe/London", rated_w=5_000), "riser 2", True)),
    ],
)
def test_every_kind_comes_back_as_it_was(slot: Slot, meter: int, body: Standing) -> None:
    command = Command(meter, int(slot), 4, 1, 2, 0, bytes(8), body)
    assert decode_command(encode_command(command)) == command


@pytest.mark.parametrize(
    ("slot", "meter", "body"),
    [
        (Slot.LIMIT_POWER, 0, LimitPower(3_000)),
        (Slot.LIMIT_POWER, 7, LimitPower(0)),
        (Slot.CONFIGURE, 7, Configure("gw1", ())),
        (Slot.CONFIGURE, 0, Configure("gw1", (("spool_max_bytes", 1),))),
        (Slot.CONFIGURE, 0, Configure("gw1", (("interval_s", 1),))),
        (Slot.TRUST_ISSUER, 0, TrustIssuer("gw1", b"", bytes(32), None)),
        (Slot.SHOW_PRICES, 7, ShowPrices(1, ())),
    ],
)
def test_a_wish_that_cannot_be_is_refused(slot: Slot, meter: int, body: Standing) -> None:
    with pytest.raises(BadShape):
        encode_command(Command(meter, int(slot), 4, 1, 2, 0, bytes(8), body))


def test_only_what_is_shown_proves_a_wish() -> None:
    assert shows(body=LimitPower(None), reported={"limit_w": None})
    assert not shows(body=LimitPower(None), reported={})
    assert not shows(body=SetClock(5), reported={"offset_s": -9})
    assert shows(body=TrustIssuer("g", b"\x02", bytes(32), b"\x01"), reported={"kids": "02,03"})
    assert not shows(body=TrustIssuer("g", b"\x02", bytes(32), b"\x01"), reported={"kids": "01,02"})


def test_settings_keys_and_clock_are_carried_out_reported_and_kept(tmp_path: Path) -> None:
    async def drill() -> None:
        async with a_bench(tmp_path) as bench:

            def told(code: str) -> list[Any]:
                return [event for event in bench.headend.events() if event.code == code]

            settings = wish(
                Configure("gw1", (("interval_s", 30), ("link_timeout_s", 600))), Slot.CONFIGURE, meter=0
            )
            await bench.headend.order(settings)
            await eventually(lambda: len(told("reported")) == 1)
            assert told("reported")[0].detail["interval_s"] == 30
            assert bench.agent.config.interval_s == 30
            assert bench.agent.link.is_up(now_us=bench.time())
            (receipt,) = [
                verify_receipt(message=e.detail["message"], keys={b"\x02": GATEWAY_KEY.public_key()})
                for e in told("standing_receipt")
            ]
            assert (receipt.meter, receipt.seq, receipt.result) == (0, 1, Result.APPLIED)

            # A key that nobody trusts yet orders nothing; trusted, it does; the old one retired, that one does not.
            public = NEXT.public_key().public_bytes_raw()
            await bench.headend.order(wish(SetClock(60), Slot.SET_CLOCK, key=NEXT, kid=b"\x09"))
            await eventually(lambda: "command_bad_signature" in bench.headend.codes())
            await bench.headend.order(
                wish(TrustIssuer("gw1", b"\x09", public, None), Slot.TRUST_ISSUER, meter=0)
            )
            await eventually(lambda: any(e.detail.get("kids") == "01,09" for e in told("reported")))
            retired = TrustIssuer("gw1", b"\x09", public, b"\x01")
            await bench.headend.order(wish(retired, Slot.TRUST_ISSUER, seq=2, meter=0, key=NEXT, kid=b"\x09"))
            await eventually(lambda: any(e.detail.get("kids") == "09" for e in told("reported")))
            await bench.restart()
            assert bench.agent.config.interval_s == 30, "kept over a restart"
            assert set(bench.agent.standing.issuers) == {b"\x09"}

    run(drill())


def test_a_model_that_cannot_says_so_and_supply_is_as_it_was(tmp_path: Path) -> None:
    async def drill() -> None:
        async with a_bench(tmp_path) as bench:
            prices = wish(ShowPrices(1, (("all", 500_000),)), Slot.SHOW_PRICES)
            await bench.headend.order(prices, prices)
            await eventually(lambda: "standing_refused" in bench.headend.codes())
            refused = next(e for e in bench.headend.events() if e.code == "standing_refused")
            assert refused.detail["why"] == "not_this_model"
            assert all(sim.relay_closed for sim in bench.sims)
            # Another slot of the same meter has numbers of its own, and supply too.
            await bench.obeyed(a_command(meter=100, seq=1, relay=0))
            assert not bench.sims[0].relay_closed
            older = wish(LimitPower(5), Slot.LIMIT_POWER, seq=0 + 1)
            await bench.headend.order(older)
            await eventually(
                lambda: any(
                    e.detail["kind"] == 2 for e in bench.headend.events() if e.code == "standing_receipt"
                )
            )

    run(drill())


def test_settings_for_another_gateway_are_refused(tmp_path: Path) -> None:
    async def drill() -> None:
        async with a_bench(tmp_path) as bench:
            await bench.headend.order(wish(Configure("gw2", (("interval_s", 30),)), Slot.CONFIGURE, meter=0))
            await eventually(lambda: "standing_refused" in bench.headend.codes())
            assert bench.agent.config.interval_s == 60

    run(drill())


def test_a_receipt_is_no_command() -> None:
    with pytest.raises(FrameError):
        decode_command(b"\x80")


def test_what_a_meter_is_watched_for_comes_from_the_desk_and_stays_over_a_restart(tmp_path: Path) -> None:
    async def drill() -> None:
        async with a_bench(tmp_path) as bench:
            bench.sims[0].phases[0].load_w = 2_500
            await bench.tick()
            limit = {"overload": {"limit_w": 2_000, "raise_after_us": 0}}
            policy = with_settings(policy=default_policy(zone="Europe/London", rated_w=9_000), settings=limit)
            watch = Watch(policy, "riser 2", False)
            await bench.headend.order(wish(watch, Slot.WATCH))
            await eventually(lambda: "reported" in bench.headend.codes())
            [told] = [event for event in bench.headend.events() if event.code == "reported"]
            assert shows(body=watch, reported=told.detail) and told.detail["watch"] == watch_digest(watch)
            await bench.tick()
            assert "alarm_raised" in bench.headend.codes(), "the new limit counts at once"
            await bench.restart()
            point = bench.agent.meters.points[100]
            assert bench.agent.safety._watches.policy(point, zone="UTC") == policy
            assert bench.agent.safety._watches.feeder(point) == "riser 2"

    run(drill())
