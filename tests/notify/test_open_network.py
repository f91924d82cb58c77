"""A server that a browser named is asked where its name leads on the open network, and nowhere in the house."""

from __future__ import annotations

import datetime
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from fairwatt.notifier import carrier as carrying
from fairwatt.notify.contract import CannotSay, HttpAsk, HttpReply, Talk

NAME = "push.example.com"


class Listener:
    """A TLS server of this machine that notes which name it was called by."""

    def __init__(self, folder: Path) -> None:
        self.called: list[str | None] = []
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(_certificate(folder))
        self._context.sni_callback = lambda _, name, __: self.called.append(name)
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        self._socket.close()

    def _serve(self) -> None:
        while True:
            try:
                line, _ = self._socket.accept()
                self._context.wrap_socket(line, server_side=True)
            except ssl.SSLError:
                continue  # who called did not believe the certificate
            except OSError:
                return


def _certificate(folder: Path) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, NAME)])
    now = datetime.datetime.now(tz=datetime.UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + datetime.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    plain = serialization.NoEncryption()
    form = serialization.PrivateFormat.PKCS8
    path = folder / "server.pem"
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, form, plain)
        + made.public_bytes(serialization.Encoding.PEM)
    )
    return path


@pytest.fixture
def listener(tmp_path: Path) -> Iterator[Listener]:
    made = Listener(tmp_path)
    yield made
    made.close()


def ask(url: str) -> Any:
    def talk() -> Talk[HttpReply]:
        return (yield HttpAsk("POST", url, {}, b"x", named=True))

    carrier = carrying.Carrier()
    try:
        return carrier.carry(talk())
    finally:
        carrier.close()


def leads_home(monkeypatch: pytest.MonkeyPatch) -> None:
    """The name of a stranger's server leads to this machine, as its owner may arrange."""
    real = socket.getaddrinfo

    def looked_up(name: Any, *args: Any, **kwargs: Any) -> Any:
        return real("127.0.0.1" if name == NAME else name, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", looked_up)


def test_a_name_that_leads_into_the_house_is_not_asked(
    listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    leads_home(monkeypatch)
    for host in (NAME, "localhost", "127.0.0.1", "[::1]"):
        with pytest.raises(CannotSay, match="open network"):
            ask(f"https://{host}:{listener.port}/push/1")
    assert listener.called == []


def test_who_is_asked_by_number_must_still_prove_the_name(
    listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    leads_home(monkeypatch)
    monkeypatch.setattr(carrying, "is_public", lambda _: True)
    with pytest.raises(carrying.NoAnswer):
        ask(f"https://{NAME}:{listener.port}/push/1")
    assert listener.called == [NAME], "it is called by its name, and a certificate of its own proves nothing"
