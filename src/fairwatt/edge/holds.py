"""Which relays safety keeps open, and whether each may be closed by itself afterwards."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import Final

from fairwatt.edge.spool import Spool
from fairwatt.wire import cbor
from fairwatt.wire.errors import FrameError

_KEPT: Final = "holds"
_MAX_BYTES: Final = 1 << 20


class Holds(Collection[int]):
    """Meters held open, by number. Every change is on the disk before the call returns.

    A hold remembers whether power was on when it began: what credit or a person had opened, its end does not
    close.
    """

    def __init__(self, *, spool: Spool) -> None:
        self._spool = spool
        self._was_closed: dict[int, bool] = {}
        kept = spool.get(_KEPT)
        if kept is not None:
            self._was_closed = _read(kept)

    def begin(self, *, meter: int, was_closed: bool) -> None:
        """Hold a relay open from now on; a hold that is there already keeps what it remembers."""
        self._was_closed.setdefault(meter, was_closed)
        self._keep()

    def opened(self, *, meter: int) -> None:
        """Note that an order wants this relay open for a reason of its own."""
        if self._was_closed.get(meter):
            self._was_closed[meter] = False
            self._keep()

    def end(self, *, meter: int) -> bool:
        """End a hold; say whether the relay may be closed for it."""
        was_closed = self._was_closed.pop(meter, False)
        self._keep()
        return was_closed

    def only(self, *, meters: Iterable[int]) -> None:
        """Hold these and no others: what the watch says after a start is what counts."""
        self._was_closed = {meter: self._was_closed.get(meter, False) for meter in meters}
        self._keep()

    def _keep(self) -> None:
        rows = [[meter, closed] for meter, closed in sorted(self._was_closed.items())]
        self._spool.put([(_KEPT, cbor.encode(rows))])

    def __contains__(self, meter: object) -> bool:
        return meter in self._was_closed

    def __iter__(self) -> Iterator[int]:
        return iter(self._was_closed)

    def __len__(self) -> int:
        return len(self._was_closed)


def _read(kept: bytes) -> dict[int, bool]:
    try:
        rows = cbor.decode(kept, max_bytes=_MAX_BYTES, what="the holds")
        pairs = [cbor.array(row, length=2, what="a hold") for row in (rows if type(rows) is list else [])]
        return {
            cbor.integer(meter, what="meter", high=(1 << 64) - 1): cbor.boolean(closed, what="was closed")
            for meter, closed in pairs
        }
    except FrameError:
        return {}  # the watch's own state says which relays are held; none of them closes by itself then
