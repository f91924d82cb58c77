"""How badly the platforms behave, from a seed: chances per mille of reports, switches for everything else."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Final

CHANCES: Final = (
    "dup",
    "drop",
    "delay",
    "reorder",
    "wrong_amount",
    "wrong_currency",
    "forge",
    "stale",
    "probe",
)


@dataclass(slots=True)
class Faults:
    """Chances are per mille; a switch of bills counts how many rows it touches."""

    dup: int = 0
    """the same report comes two to four times"""
    drop: int = 0
    """never reported: only asking, or the bill, tells"""
    delay: int = 0
    """reported `delay_s` later"""
    delay_s: int = 20
    reorder: int = 0
    """held back until the next one was reported"""
    wrong_amount: int = 0
    """another amount was taken than ordered"""
    wrong_currency: int = 0
    forge: int = 0
    """somebody else's signature on a report of a payment that never was"""
    stale: int = 0
    """signed long ago"""
    probe: int = 0
    """a report whose signature is a test"""
    http: str = ""
    """`5xx`, `429`, `slow`, `cut` or `unsigned`: how questions are answered"""
    slow_s: int = 30
    refund_abnormal: bool = False
    bill_omit: int = 0
    """so many payments are missing from the bill"""
    bill_extra: int = 0
    """so many are in it that were never made here"""
    bill_amount: int = 0
    """so many have another amount there"""
    bill_twice: int = 0
    """so many stand there twice"""
    bill_refs: int = 0
    """so many pairs have each other's reference of ours"""
    bill_refund: int = 0
    """so many are said to have gone back, which nobody asked for"""
    bill_again: int = 0
    """which issue of the bill this is: another number gives other bytes with the same movements"""
    bill_corrupt: bool = False
    bill_late: bool = False

    def set(self, **changes: Any) -> None:
        """Change some. Raises ValueError for a fault nobody knows."""
        known = {one.name for one in fields(self)}
        for name, value in changes.items():
            if name not in known:
                raise ValueError(f"there is no fault {name!r}")
            setattr(self, name, type(getattr(self, name))(value))
