"""A server that has been at work for a while: its log files are there and are used again."""

from __future__ import annotations

from typing import Final

import psycopg

_ROWS: Final = 1_500_000
"""of about 700 bytes each: more log than `min_wal_size` keeps"""


def age_log(*, dsn: str) -> None:
    """Write as much log as the server keeps, and let it be recycled.

    A new server makes and zeroes each 16 MB of log when it first needs them; one that has run for an hour does
    not, and neither the ledger nor the yardstick should be measured while it does.
    """
    with psycopg.connect(dsn, autocommit=True) as link:
        link.execute(
            f"CREATE TABLE aging AS SELECT n, repeat(md5(n::text), 20) FROM generate_series(1, {_ROWS}) AS n"
        )
        link.execute("DROP TABLE aging")
        for _ in range(2):
            link.execute("SELECT pg_switch_wal()")
            link.execute("CHECKPOINT")
