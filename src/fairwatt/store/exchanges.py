"""Meters that are exchanged: the statements by which the poster puts another in the place of one."""

from __future__ import annotations

from typing import Any, NamedTuple


class NewMeter(NamedTuple):
    """What is printed on the meter that comes. Energies in Wh, power in W."""

    number: int
    profile: str
    modulus_wh: int
    resolution_wh: int
    max_power_w: int


class AtWork(NamedTuple):
    """An installation at work: whose, where, since when."""

    wallet: int
    unit: int
    gateway: int
    opened_us: int


def at_work(*, cursor: Any, book: int, installation: int) -> AtWork | None:
    """An open installation of a book."""
    cursor.execute(
        "SELECT i.wallet_id, i.unit_id, m.gateway_id, i.opened_us FROM store_installation i "
        "JOIN store_meter m ON m.id = i.meter_id JOIN store_wallet w ON w.id = i.wallet_id "
        "WHERE i.id = %s AND w.book_id = %s AND i.closed_us IS NULL",
        [installation, book],
    )
    row = cursor.fetchone()
    return None if row is None else AtWork(*map(int, row))


def is_taken(*, cursor: Any, gateway: int, number: int) -> bool:
    """True for a number that a meter at work behind the gateway has."""
    cursor.execute(
        "SELECT 1 FROM store_meter m JOIN store_installation i ON i.meter_id = m.id AND i.closed_us IS NULL "
        "WHERE m.gateway_id = %s AND m.number = %s",
        [gateway, number],
    )
    return cursor.fetchone() is not None


def meter_row(*, cursor: Any, gateway: int, meter: NewMeter) -> int:
    """The meter's row: a new one, or that of a meter that was at work here before."""
    cursor.execute(
        "SELECT id FROM store_meter WHERE gateway_id = %s AND number = %s", [gateway, meter.number]
    )
    row = cursor.fetchone()
    if row is not None:
        return int(row[0])
    cursor.execute(
        "INSERT INTO store_meter (gateway_id, number, profile, modulus_wh, resolution_wh, max_power_w, feeds_gateway, "
        "feeder) VALUES (%s, %s, %s, %s, %s, %s, false, '') RETURNING id",
        [gateway, *meter],
    )
    return int(cursor.fetchone()[0])


def install(
    *,
    cursor: Any,
    like: int,
    meter: int,
    at_us: int,
    opening_wh: int,
    opening_counter_wh: int,
    transformer: tuple[int, int] | None,
) -> int:
    """Go on with another meter where an installation ended: same home, account and prices.

    Behind the same current transformers, unless ``transformer`` (primary, secondary) says that they were changed too.
    """
    primary, secondary = transformer or (None, None)
    cursor.execute(
        "INSERT INTO store_installation (meter_id, unit_id, wallet_id, plan_id, opened_us, opening_wh, "
        "opening_counter_wh, ct_primary, ct_secondary, ct_in_register) "
        "SELECT %s, unit_id, wallet_id, plan_id, %s, %s, %s, COALESCE(%s, ct_primary), COALESCE(%s, ct_secondary), "
        "%s::int IS NULL AND ct_in_register FROM store_installation WHERE id = %s RETURNING id",
        [meter, at_us, opening_wh, opening_counter_wh, primary, secondary, primary, like],
    )
    return int(cursor.fetchone()[0])
