"""A real nats-server on free loopback ports, as MQTT door and backbone."""

import socket
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType

CONFIG = """
listen: 127.0.0.1:{nats}
jetstream {{ store_dir: "{store}", max_file_store: 64M }}
server_name: test
mqtt {{ listen: 127.0.0.1:{mqtt}, ack_wait: "10s", max_ack_pending: 100 }}
accounts {{
  APP {{ jetstream: enabled, users: [
    {{user: backend, password: back}},
    {{user: meters, password: air, allowed_connection_types: ["MQTT"]}},
    {{user: gw1, password: one, allowed_connection_types: ["MQTT"],
      permissions: {{publish: ["fw.v1.b1.s1.gw1.up", "fw.v1.b1.s1.gw1.tele"],
      subscribe: ["fw.v1.b1.s1.gw1.down", "fw.v1.b1.s1.gw1.tack"]}}}},
    {{user: gw2, password: two, allowed_connection_types: ["MQTT"],
      permissions: {{publish: ["fw.v1.b1.s1.gw2.up"], subscribe: ["fw.v1.b1.s1.other"]}}}} ] }} }}
"""


class Broker:
    """Start, stop and start again on the same ports with the same store."""

    def __init__(self, folder: Path) -> None:
        self.nats_port, self.mqtt_port = _free_port(), _free_port()
        self._config = folder / "nats.conf"
        self._config.write_text(CONFIG.format(nats=self.nats_port, mqtt=self.mqtt_port, store=folder / "js"))
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        binary = Path(sys.executable).parent / "nats-server"
        self._process = subprocess.Popen([binary, "-c", self._config], stderr=subprocess.PIPE)
        for _ in range(1500):
            if _listens(self.nats_port) and _listens(self.mqtt_port):
                return
            if self._process.poll() is not None:
                assert self._process.stderr is not None
                raise RuntimeError(self._process.stderr.read().decode())
            time.sleep(0.02)
        raise RuntimeError("nats-server did not listen within 30 s")

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.communicate(timeout=10)
            self._process = None

    def __enter__(self) -> "Broker":
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def _free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


def _listens(port: int) -> bool:
    with socket.socket() as sock:
        return sock.connect_ex(("127.0.0.1", port)) == 0
