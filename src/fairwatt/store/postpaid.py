"""Homes that pay after use, what people read there, and waves: every statement about those tables is here."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from fairwatt.core.credit.owing import DebtPlan
from fairwatt.core.credit.policy import FOREVER_US, Shelter, Why


class Postpaid(NamedTuple):
    """A home that pays after use, or did: when and by which wave it changed, and how long it is not cut."""

    wallet: int
    from_us: int
    due_day: int
    words: str
    wave: int | None
    switched_us: int | None
    grace_us: int | None
    owed_micro: int | None

    def shelter(self) -> Shelter:
        """Why it is not cut: it pays after use, or it changed a few days ago."""
        if self.switched_us is None or self.grace_us is None:
            return Shelter(self.from_us, FOREVER_US, Why.POSTPAID)
        return Shelter(self.switched_us, self.grace_us, Why.GRACE)


class HandReading(NamedTuple):
    """A register that a person read. ``word``: what a second look said, or empty."""

    reading: int
    wallet: int
    installation: int
    at_us: int
    register_wh: int
    photo: int
    doubt: str
    usual_wh: int
    words: str
    author: int
    entered_us: int
    word: str


class Wave(NamedTuple):
    """Homes that change on a date. ``agreed``: who agreed, ``off``: whether it was called off."""

    wave: int
    book: int
    name: str
    switch_us: int
    notice_days: int
    grace_days: int
    debt_plan: dict[str, Any]
    author: int
    at_us: int
    agreed: int | None
    off: bool
    homes: int
    done: int


class WaveHome(NamedTuple):
    """One home of a wave: its date (its own, where it was postponed), and how far it is."""

    wave: int
    wallet: int
    debt_rule: int
    due_us: int
    noticed_us: int | None
    switched_us: int | None
    grace_us: int | None
    owed_micro: int | None


_POSTPAID: Final = (
    "SELECT p.wallet, p.from_us, p.due_day, p.words, s.wave, s.at_us, s.grace_us, s.owed_micro "
    "FROM postpaid p LEFT JOIN switched s ON s.wallet = p.wallet WHERE p.book = %s "
)


def hold_debts(*, cursor: Any, book: int) -> None:
    """Let nobody else bring debts into this book until this transaction ends."""
    cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 7))", [f"debts:{book}"])


def postpaid_of_book(*, cursor: Any, book: int, wallet: int | None = None) -> dict[int, Postpaid]:
    """{wallet: what is known} of every home of a book that pays after use, or did; or of one."""
    one = "" if wallet is None else " AND p.wallet = %s"
    cursor.execute(f"{_POSTPAID}{one} ORDER BY p.wallet", [book] if wallet is None else [book, wallet])
    return {int(row[0]): Postpaid(*row) for row in cursor.fetchall()}


def postpaid_of(*, cursor: Any, book: int, wallet: int) -> Postpaid | None:
    """The same of one home; None where it was always prepaid."""
    return postpaid_of_book(cursor=cursor, book=book, wallet=wallet).get(wallet)


def add_postpaid(
    *, cursor: Any, book: int, wallet: int, due_day: int, words: str, author: int, now_us: int
) -> bool:
    """A home pays after use from now on; say whether that is new. Once prepaid, it stays so."""
    cursor.execute(
        "INSERT INTO postpaid (wallet, book, from_us, due_day, words, author, at_us) VALUES (%s, "
        "%s, %s, %s, %s, %s, %s) "
        "ON CONFLICT (wallet) DO NOTHING RETURNING wallet",
        [wallet, book, now_us, due_day, words, author, now_us],
    )
    return cursor.fetchone() is not None


_READINGS: Final = """
SELECT r.id, r.wallet, r.installation, r.at_us, r.register_wh, r.photo, r.doubt, r.usual_wh,
r.words, r.author, r.entered_us,
       coalesce(w.word, '') FROM hand_reading r LEFT JOIN hand_word w ON w.reading = r.id WHERE r.book = %s AND {}
"""


def reading_of(*, cursor: Any, book: int, reading: int) -> HandReading | None:
    """One reading."""
    cursor.execute(_READINGS.format("r.id = %s"), [book, reading])
    row = cursor.fetchone()
    return None if row is None else HandReading(*row)


def readings_of(
    *, cursor: Any, book: int, installation: int | None = None, most: int = 20
) -> list[HandReading]:
    """What people read, the newest first; of one register, or of all."""
    cursor.execute(
        _READINGS.format("(%s::bigint IS NULL OR r.installation = %s)") + " ORDER BY r.id DESC LIMIT %s",
        [book, installation, installation, most],
    )
    return [HandReading(*row) for row in cursor.fetchall()]


def add_reading(*, cursor: Any, book: int, new: HandReading) -> tuple[int, bool]:
    """Write a reading down; the same one again is the same. (number, whether it is new)."""
    cursor.execute(
        "INSERT INTO hand_reading (book, wallet, installation, at_us, register_wh, photo, doubt, "
        "usual_wh, words, author, "
        "entered_us) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s) "
        "ON CONFLICT (installation, at_us, register_wh) DO NOTHING RETURNING id",
        [book, *new[1:11]],
    )
    row = cursor.fetchone()
    if row is not None:
        return int(row[0]), True
    cursor.execute(
        "SELECT id FROM hand_reading WHERE installation = %s AND at_us = %s AND register_wh = %s",
        [new.installation, new.at_us, new.register_wh],
    )
    return int(cursor.fetchone()[0]), False


def add_word(*, cursor: Any, book: int, reading: HandReading, word: str, author: int, now_us: int) -> bool:
    """Write down what a second look said; say whether it is the first word."""
    cursor.execute(
        "INSERT INTO hand_word (reading, book, wallet, word, author, at_us) VALUES (%s, %s, %s, %s, %s, %s) "
        "ON CONFLICT (reading) DO NOTHING RETURNING reading",
        [reading.reading, book, reading.wallet, word, author, now_us],
    )
    return cursor.fetchone() is not None


_WAVES: Final = """
SELECT w.id, w.book, w.name, w.switch_us, w.notice_days, w.grace_days, w.debt_plan, w.author, w.at_us,
       (SELECT s.author FROM wave_step s WHERE s.wave = w.id AND s.step = 'agreed' ORDER BY s.id LIMIT 1),
       EXISTS (SELECT 1 FROM wave_step s WHERE s.wave = w.id AND s.step = 'called_off'),
       (SELECT count(*) FROM wave_home h WHERE h.wave = w.id), (SELECT count(*) FROM switched d WHERE d.wave = w.id)
  FROM wave w WHERE w.book = %s AND {} ORDER BY w.switch_us DESC, w.id DESC
"""


def waves_of_book(*, cursor: Any, book: int) -> list[Wave]:
    """The waves of a book, the latest date first."""
    cursor.execute(_WAVES.format("true"), [book])
    return [_wave(row) for row in cursor.fetchall()]


def wave_of(*, cursor: Any, book: int, wave: int) -> Wave | None:
    """One wave."""
    cursor.execute(_WAVES.format("w.id = %s"), [book, wave])
    row = cursor.fetchone()
    return None if row is None else _wave(row)


def _wave(row: Any) -> Wave:
    return Wave._make([*row[:6], json.loads(row[6]) if isinstance(row[6], str) else row[6], *row[7:]])


_HOMES: Final = """
SELECT h.wave, h.wallet, h.debt_rule,
       coalesce((SELECT s.to_us FROM wave_step s WHERE s.wave = h.wave AND s.wallet = h.wallet AND s.step = 'postponed'
                  ORDER BY s.id DESC LIMIT 1), w.switch_us),
       (SELECT min(s.at_us) FROM wave_step s WHERE s.wave = h.wave AND s.wallet = h.wallet AND s.step = 'noticed'),
       d.at_us, d.grace_us, d.owed_micro
  FROM wave_home h JOIN wave w ON w.id = h.wave LEFT JOIN switched d ON d.wallet = h.wallet AND d.wave = h.wave
 WHERE h.book = %s AND {} ORDER BY h.wallet
"""


def homes_of_wave(*, cursor: Any, book: int, wave: int) -> list[WaveHome]:
    """The homes of a wave."""
    cursor.execute(_HOMES.format("h.wave = %s"), [book, wave])
    return [WaveHome(*row) for row in cursor.fetchall()]


def home_of_wave(*, cursor: Any, book: int, wave: int, wallet: int) -> WaveHome | None:
    """One home of a wave."""
    cursor.execute(_HOMES.format("h.wave = %s AND h.wallet = %s"), [book, wave, wallet])
    row = cursor.fetchone()
    return None if row is None else WaveHome(*row)


def in_open_waves(*, cursor: Any, book: int) -> set[int]:
    """Homes that are in a wave which was not called off."""
    cursor.execute(
        "SELECT h.wallet FROM wave_home h WHERE h.book = %s AND NOT EXISTS "
        "(SELECT 1 FROM wave_step s WHERE s.wave = h.wave AND s.step = 'called_off')",
        [book],
    )
    return {int(wallet) for (wallet,) in cursor.fetchall()}


def add_wave(*, cursor: Any, wave: Wave, now_us: int) -> int:
    """Write a wave down; return its number."""
    cursor.execute(
        "INSERT INTO wave (book, name, switch_us, notice_days, grace_days, debt_plan, author, at_us) "
        "VALUES (%s, %s, %s, %s, %s, %s, %s, %s) RETURNING id",
        [*wave[1:6], json.dumps(wave.debt_plan), wave.author, now_us],
    )
    return int(cursor.fetchone()[0])


def add_wave_homes(*, cursor: Any, book: int, wave: int, homes: Sequence[tuple[int, int]]) -> None:
    """Put (wallet, rule of its debt) into a wave."""
    cursor.executemany(
        "INSERT INTO wave_home (wave, wallet, book, debt_rule) VALUES (%s, %s, %s, %s)",
        [[wave, wallet, book, rule] for wallet, rule in homes],
    )


def add_wave_step(
    *,
    cursor: Any,
    book: int,
    wave: int,
    step: str,
    author: int,
    now_us: int,
    wallet: int | None = None,
    to_us: int | None = None,
    words: str = "",
) -> None:
    """Write down what a person said of a wave, or of one home in it."""
    cursor.execute(
        "INSERT INTO wave_step (wave, book, wallet, step, to_us, words, author, at_us) "
        "VALUES (%s, %s, %s, %s, %s, %s, %s, %s)",
        [wave, book, wallet, step, to_us, words, author, now_us],
    )


def due_switches(*, cursor: Any, book: int, now_us: int) -> list[tuple[int, int]]:
    """(wave, wallet) whose date has come, with its notice long enough ago, that are not done."""
    cursor.execute(
        f"SELECT x.wave, x.wallet FROM ({_HOMES.format('true')}) AS "
        "x (wave, wallet, debt_rule, due_us, noticed_us, switched_us, grace_us, owed_micro) JOIN "
        "wave w ON w.id = x.wave "
        "WHERE x.due_us <= %s AND x.noticed_us + w.notice_days * 86400000000 <= %s "
        "AND EXISTS (SELECT 1 FROM wave_step s WHERE s.wave = w.id AND s.step = 'agreed') "
        "AND NOT EXISTS (SELECT 1 FROM wave_step s WHERE s.wave = w.id AND s.step = 'called_off') "
        "AND NOT EXISTS (SELECT 1 FROM switched d WHERE d.wallet = x.wallet)",
        [book, now_us, now_us],
    )
    return [(int(wave), int(wallet)) for wave, wallet in cursor.fetchall()]


def add_switched(
    *,
    cursor: Any,
    book: int,
    home: WaveHome,
    owed_micro: int,
    grace_us: int,
    fact: int,
    batch: int,
    now_us: int,
) -> None:
    """A home pays before it uses from now on. Once."""
    cursor.execute(
        "INSERT INTO switched (wallet, book, wave, owed_micro, at_us, grace_us, fact, batch) "
        "VALUES (%s, %s, %s, %s, %s, %s, %s, %s)",
        [home.wallet, book, home.wave, owed_micro, now_us, grace_us, fact, batch],
    )


def plan_obj(plan: DebtPlan) -> dict[str, Any]:
    """A plan as a rule keeps it."""
    return {
        "daily_micro": plan.daily_micro,
        "weekly_micro": plan.weekly_micro,
        "weekday": plan.weekday,
        "share_bp": plan.share_bp,
        "week_cap_micro": plan.week_cap_micro,
    }
