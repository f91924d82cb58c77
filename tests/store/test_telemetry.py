"""Seconds in the database: kept once, made into steps, let go only after that, and seen by those they belong to."""

from __future__ import annotations

import asyncio
from typing import Any

import numpy as np
import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairwatt.server.config import Config
from fairwatt.server.launcher.services import Services
from fairwatt.wire import topics
from fairwatt.wire.records import UNKNOWN_I32
from fairwatt.wire.telemetry import Block, Series, TeleFrame, decode_tack, encode_tele, pack, unpack
from support.house import as_role
from support.street import Street

NOW_US = 1_795_257_600_000_000
NOW_S = NOW_US // 1_000_000
DAY_S = 86_400
I32 = st.integers(UNKNOWN_I32, (1 << 31) - 1)


def block(seq: int, start_s: int, *meters: int, power: list[int] | None = None) -> Block:
    watts = power or [100 + n for n in range(60)]
    body = pack(Series(watts, [2_200] * len(watts), [450] * len(watts)))
    return Block(seq, start_s, len(watts), tuple((meter, body) for meter in meters))


def keep(street: Street, *blocks: Block, now_us: int = NOW_US) -> Any:
    from fairwatt.flows.keep_telemetry import Places, keep_frames

    address = topics.Address(str(street.book), street.site.slug, street.gateway.slug)
    with as_role("telemetry"):
        frame = encode_tele(TeleFrame(1, now_us, blocks))
        return keep_frames(messages=[(address, frame)], places=Places(), now_us=now_us)


@pytest.fixture(scope="module")
def street(house: Services) -> Street:
    street = Street(opened_us=NOW_US - 40 * DAY_S * 1_000_000)
    for _ in range(2):
        street.open_home()
    return street


@pytest.mark.usefixtures("house")
@given(st.lists(st.tuples(I32, I32, I32), min_size=1, max_size=40))
def test_the_database_side_unpacks_as_the_wire_does(rows: list[tuple[int, int, int]]) -> None:
    from fairwatt.flows.seconds import unpacked

    series = Series(*([row[n] for row in rows] for n in range(3)))
    body = pack(series)
    assert unpacked(body, seconds=len(rows)).tolist() == [list(c) for c in unpack(body, seconds=len(rows))]


@pytest.mark.usefixtures("house")
@given(st.lists(st.one_of(st.just(UNKNOWN_I32), st.integers(-5_000, 5_000)), min_size=1, max_size=200))
def test_steps_keep_least_most_sum_and_number_of_what_is_known(watts: list[int]) -> None:
    from fairwatt.flows.seconds import in_steps

    values = np.array([watts] * 3, dtype=np.int32)
    steps = in_steps(values, step=60)[0]
    for k in range(-(-len(watts) // 60)):
        known = [w for w in watts[60 * k : 60 * k + 60] if w != UNKNOWN_I32]
        assert (steps.n[k], steps.total[k]) == (len(known), sum(known))
        if known:
            assert (steps.least[k], steps.most[k]) == (min(known), max(known))


def test_a_block_that_comes_twice_is_kept_once_and_both_are_answered(street: Street) -> None:
    first = keep(street, block(1, NOW_S - 600, *street.homes))
    again = keep(street, block(1, NOW_S - 600, *street.homes))
    assert (first.blocks, first.points, again.blocks) == (2, 120, 0)
    assert list(first.upto.values()) == list(again.upto.values()) == [(1, 1)]


def test_what_cannot_be_kept_is_counted_and_answered_so_that_it_does_not_come_for_ever(
    street: Street,
) -> None:
    blocks = (
        block(1, NOW_S + 3_600, street.homes[0]),
        block(2, NOW_S - 40 * DAY_S, street.homes[0]),
        block(3, NOW_S - 300, 999),
        Block(4, NOW_S - 200, 7, ((street.homes[0], b"not deflate"),)),
    )
    kept = keep(street, *blocks)
    assert (kept.blocks, kept.refused, list(kept.upto.values())) == (0, 4, [(1, 4)])
    with psycopg.connect(Config.load().dsn(role="telemetry")) as link:
        rows = link.execute(
            "SELECT code, blocks FROM tele_refused WHERE book = %s ORDER BY code", [street.book]
        ).fetchall()
    assert [code for code, _ in rows] == ["bad_shape", "tele_future", "tele_too_old", "tele_unknown_meter"]


def test_a_gateway_of_another_book_adds_nothing_to_this_one(street: Street) -> None:
    from fairwatt.flows.keep_telemetry import Places, keep_frames

    liar = topics.Address(str(street.book), street.site.slug, "gw-of-somebody-else")
    with as_role("telemetry"):
        frame = encode_tele(TeleFrame(1, NOW_US, (block(1, NOW_S - 60, street.homes[0]),)))
        kept = keep_frames(messages=[(liar, frame)], places=Places(), now_us=NOW_US)
    assert (kept.blocks, kept.refused) == (0, 1)


def test_a_day_becomes_steps_and_its_seconds_go_only_then(street: Street) -> None:
    from fairwatt.flows.keep_telemetry import downsample

    day_s = (NOW_S - 20 * DAY_S) // DAY_S * DAY_S
    keep(street, block(1, day_s + 30, street.homes[0], power=[10] * 30 + [70] * 30))
    with psycopg.connect(Config.load().dsn(role="telemetry")) as link, pytest.raises(psycopg.Error):
        link.execute("SELECT drop_tele_day(%s)", [day_s])
    with as_role("telemetry"):
        made, dropped = downsample(now_us=NOW_US)
        assert day_s in made
        assert day_s not in dropped
        made, dropped = downsample(now_us=NOW_US, keep_days=10)
        assert (made, day_s in dropped) == ([], True)
    with psycopg.connect(Config.load().dsn(role="telemetry")) as link:
        row = link.execute(
            "SELECT power_n[1:3], power_min[1:3], power_max[1:3], power_sum[1:3] FROM tele_day "
            "WHERE day_s = %s AND step_s = 60 AND book = %s",
            [day_s, street.book],
        ).fetchone()
    assert row == ([30, 30, 0], [10, 70, 0], [10, 70, 0], [300, 2_100, 0])


def test_a_late_block_makes_its_day_anew(street: Street) -> None:
    from fairwatt.flows.keep_telemetry import downsample

    day_s = (NOW_S - 3 * DAY_S) // DAY_S * DAY_S
    keep(street, block(1, day_s, street.homes[0]))
    with as_role("telemetry"):
        downsample(now_us=NOW_US)
    keep(street, block(2, day_s + 60, street.homes[0]))
    with as_role("telemetry"):
        made, _ = downsample(now_us=NOW_US)
    assert day_s in made


def test_a_resident_reads_the_own_wallet_only_and_nobody_changes_a_second(street: Street) -> None:
    keep(street, block(1, NOW_S - 120, *street.homes))
    with psycopg.connect(Config.load().dsn(role="web")) as link:
        for name, value in (("books", str(street.book)), ("wallets", str(street.wallets[0]))):
            link.execute("SELECT set_config(%s, %s, false)", [f"fairwatt.{name}", value])
        seen = link.execute("SELECT DISTINCT wallet FROM tele_second").fetchall()
        assert seen == [(street.wallets[0],)]
        assert link.execute("SELECT count(*) FROM tele_refused").fetchone() == (0,)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            link.execute("INSERT INTO tele_rolled VALUES (1, 1)")
    with psycopg.connect(Config.load().dsn(role="telemetry")) as link:
        for statement in (
            "UPDATE tele_second SET seconds = 1",
            "DELETE FROM tele_second",
            "SELECT * FROM line",
            "SELECT * FROM wallet_head",
            "SELECT username FROM store_user",
            "INSERT INTO event (book) VALUES (1)",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                link.execute(statement)
            link.rollback()
    with psycopg.connect(Config.load().dsn(role="migrate")) as link:
        link.execute("SET ROLE fairwatt_owner")
        assert link.execute("UPDATE tele_second SET seconds = 1").rowcount == 0


def test_the_process_keeps_answers_and_passes_on_who_watches(house: Services, street: Street) -> None:
    """Under its own logins at the broker and the database, which reach nothing else."""
    from fairwatt.server.launcher.fleet import read_fleet

    house.set_gateways(read_fleet(house.config)[1])

    async def drill() -> list[object]:
        import nats

        from fairwatt.headend.telemetry import TelemetryKeeper

        class Clock:
            def now_us(self) -> int:
                return NOW_US

        config = house.config
        keeper = TelemetryKeeper(url=config.telemetry_url(), dsn=config.dsn(role="telemetry"), clock=Clock())
        place = {"book": str(street.book), "site": street.site.slug, "gateway": street.gateway.slug}
        backend = await nats.connect(config.backbone_url())
        heard: list[object] = []

        async def take(message: Any) -> None:
            heard.append(decode_tack(message.data))

        await backend.subscribe(topics.tack_subject(**place), cb=take)
        task = asyncio.create_task(keeper.run())
        try:
            async with asyncio.timeout(60):
                while {type(one).__name__ for one in heard} != {"Kept", "Watch"}:
                    assert not task.done(), "the process ended: " + repr(task)
                    frame = encode_tele(
                        TeleFrame(5, NOW_US, (block(8, NOW_S - 50, street.homes[1], power=[1]),))
                    )
                    await backend.publish(topics.tele_subject(**place), frame)
                    with psycopg.connect(config.dsn(role="web"), autocommit=True) as web:
                        web.execute("SELECT pg_notify('fairwatt_watch', %s)", [".".join(place.values())])
                    await asyncio.sleep(0.3)
        except TimeoutError:
            pytest.fail(f"In a minute it answered {heard} and counted {keeper.counts}")
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await backend.close()
        return heard

    with as_role("telemetry"):
        heard = asyncio.run(drill())
    assert {type(one).__name__ for one in heard} == {"Kept", "Watch"}


def test_a_reader_who_stays_holds_up_no_second(house: Services, street: Street) -> None:
    """A new day waits for whoever reads the old ones; who brings seconds does not wait behind it for long."""
    keep(street, block(1, NOW_S - 90, street.homes[0]))
    config = Config.load()
    with (
        psycopg.connect(config.dsn(role="web")) as reader,
        psycopg.connect(config.dsn(role="telemetry")) as tidy,
    ):
        reader.execute("SELECT count(*) FROM tele_second").fetchone()
        assert tidy.execute("SHOW lock_timeout").fetchone() == ("5s",)
        tidy.execute("SET lock_timeout = '200ms'")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            tidy.execute("SELECT make_tele_partitions(%s, %s)", [NOW_S + 90 * DAY_S, NOW_S + 90 * DAY_S + 1])
        tidy.rollback()
        assert keep(street, block(2, NOW_S - 30, street.homes[0])).blocks == 1
