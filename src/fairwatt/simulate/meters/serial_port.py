"""Virtual meters on a serial port: the far end of a pseudo-terminal, which looks like /dev/ttyUSB0."""

from __future__ import annotations

import asyncio
import os
import tty
from typing import Final

from fairwatt.drivers.dlt645.stream import FrameStream

from .bus import Dlt645Bus

_READ_BYTES: Final = 4096


class SerialPort:
    """Puts the meters of a bus behind `device`, a serial port that a gateway can open."""

    def __init__(self, bus: Dlt645Bus) -> None:
        self._bus = bus
        self._stream = FrameStream()
        self._near, self._far = os.openpty()
        tty.setraw(self._near)
        tty.setraw(self._far)
        os.set_blocking(self._near, False)
        self.device = os.ttyname(self._far)

    def start(self) -> None:
        """Begin to listen; inside a running event loop."""
        asyncio.get_running_loop().add_reader(self._near, self._heard)

    def stop(self) -> None:
        """Pull the plug."""
        asyncio.get_running_loop().remove_reader(self._near)
        os.close(self._near)
        os.close(self._far)

    def _heard(self) -> None:
        try:
            data = os.read(self._near, _READ_BYTES)
        except OSError:
            return
        for frame in self._stream.feed(data):
            for said, delay_ms in self._bus.answer(frame=frame):
                if delay_ms:
                    asyncio.get_running_loop().call_later(delay_ms / 1000, os.write, self._near, said)
                else:
                    os.write(self._near, said)
