"""Rows of commissioning: steps of checklists and pictures of meters. Added, never changed."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.db import connection

from fairwatt.core.metering.checklist import Record, Step


@dataclass(frozen=True, kw_only=True)
class Place:
    """A meter at a unit: whose checklist it is."""

    meter: int
    unit: int


@dataclass(frozen=True, kw_only=True)
class KeptPhoto:
    """A picture as it is kept: JPEG bytes."""

    id: int
    meter: int
    unit: int
    content: bytes
    at_us: int


def records(*, book: int, meter: int | None = None) -> dict[Place, list[Record]]:
    """{place: its rows, oldest first} of a book, or of one meter."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT meter, unit, id, step, state, value, words, photo, author, at_us FROM commission_step "
            "WHERE book = %s AND (%s::bigint IS NULL OR meter = %s) ORDER BY id",
            [book, meter, meter],
        )
        found: dict[Place, list[Record]] = {}
        for of, unit, row, step, state, value, words, photo, author, at_us in cursor.fetchall():
            found.setdefault(Place(meter=of, unit=unit), []).append(
                Record(
                    id=row,
                    step=Step(step),
                    state=state,
                    value=json.loads(value) if isinstance(value, str) else value,
                    words=words,
                    photo=photo,
                    author=author,
                    at_us=at_us,
                )
            )
    return found


def add_record(
    *,
    cursor: Any,
    book: int,
    place: Place,
    step: Step,
    state: str,
    value: Mapping[str, Any],
    words: str,
    photo: int | None,
    author: int,
    now_us: int,
) -> int:
    """Add a row; return it."""
    cursor.execute(
        "INSERT INTO commission_step (book, meter, unit, step, state, value, words, photo, author, at_us) "
        "VALUES (%s, %s, %s, %s, %s, %s::jsonb, %s, %s, %s, %s) RETURNING id",
        [
            *(book, place.meter, place.unit, str(step), state),
            *(json.dumps(dict(value)), words, photo, author, now_us),
        ],
    )
    return int(cursor.fetchone()[0])


def add_photo(
    *,
    cursor: Any,
    book: int,
    place: Place,
    wallet: int | None,
    content: bytes,
    digest: bytes,
    size: tuple[int, int],
    author: int,
    now_us: int,
) -> int:
    """Keep a picture; the same one of the same meter and unit again is the one that is kept."""
    cursor.execute(
        "INSERT INTO meter_photo (book, meter, unit, wallet, sha256, bytes, width, height, author, at_us) "
        "VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT (book, meter, unit, sha256) DO NOTHING "
        "RETURNING id",
        [book, place.meter, place.unit, wallet, digest, content, *size, author, now_us],
    )
    made = cursor.fetchone()
    if made is None:
        cursor.execute(
            "SELECT id FROM meter_photo WHERE book = %s AND meter = %s AND unit = %s AND sha256 = %s",
            [book, place.meter, place.unit, digest],
        )
        made = cursor.fetchone()
    return int(made[0])


def photo(*, photo_id: int) -> KeptPhoto | None:
    """A picture, as far as the scope of the transaction may see it."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT id, meter, unit, bytes, at_us FROM meter_photo WHERE id = %s", [photo_id])
        row = cursor.fetchone()
    return (
        None
        if row is None
        else KeptPhoto(**dict(zip(_PHOTO, (*row[:3], bytes(row[3]), row[4]), strict=True)))
    )


def photos_of(*, meters: Iterable[int]) -> Iterator[tuple[int, int, int]]:
    """(meter, picture, instant) of these meters, newest first, as far as the scope may see them."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT meter, id, at_us FROM meter_photo WHERE meter = ANY(%s) ORDER BY id DESC", [list(meters)]
        )
        yield from cursor.fetchall()


_PHOTO = ("id", "meter", "unit", "content", "at_us")
