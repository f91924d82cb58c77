"""Instants as providers write them: RFC 3339, and the wall clocks of Beijing and Nairobi, which never change."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Final

BEIJING: Final = timezone(timedelta(hours=8))
NAIROBI: Final = timezone(timedelta(hours=3))
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICRO: Final = timedelta(microseconds=1)


def wall(at_us: int, *, zone: timezone, form: str = "%Y-%m-%d %H:%M:%S") -> str:
    """An instant as a wall clock there shows it."""
    return (_EPOCH + timedelta(microseconds=at_us)).astimezone(zone).strftime(form)


def wall_us(text: str, *, zone: timezone, form: str = "%Y-%m-%d %H:%M:%S") -> int:
    """The instant a wall clock there showed. Raises ValueError."""
    return (datetime.strptime(text, form).replace(tzinfo=zone) - _EPOCH) // _MICRO


def rfc3339(at_us: int, *, zone: timezone = BEIJING) -> str:
    """`2026-11-22T18:00:00+08:00`"""
    return (_EPOCH + timedelta(microseconds=at_us)).astimezone(zone).isoformat(timespec="seconds")


def rfc3339_us(text: str) -> int:
    """The instant of an RFC 3339 text. Raises ValueError."""
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError("it names no zone")
    return (at - _EPOCH) // _MICRO
