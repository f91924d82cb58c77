"""Wrong tries in a row at each meter, on the disk, so that pulling the plug buys no fresh ones."""

from typing import Final

from fairwatt.core.commands.restore_code import Lock
from fairwatt.edge.spool import Spool
from fairwatt.wire import cbor

PINS: Final = "pin/"
CODES: Final = "tries/code/"
TOKENS: Final = "tries/token/"
"""codes and tokens of people who proved that the meter is theirs to type at; those of strangers are kept with
what the gateway remembers of the meter"""


class Locks:
    """The locks of one kind of try. ``kind`` is how their keys begin."""

    def __init__(self, *, spool: Spool, kind: str) -> None:
        self._spool, self._kind = spool, kind

    def of(self, meter: int) -> Lock:
        """The lock as it was kept."""
        kept = self._spool.get(f"{self._kind}{meter}")
        if kept is None:
            return Lock()
        failures, last = cbor.array(
            cbor.decode(kept, max_bytes=64, what="a kept lock"), length=2, what="a lock"
        )
        return Lock(cbor.integer(failures, what="failures"), cbor.signed(last, what="last_us"))

    def keep(self, meter: int, lock: Lock) -> None:
        """Put a lock on the disk."""
        self._spool.put([(f"{self._kind}{meter}", cbor.encode(list(lock)))])
