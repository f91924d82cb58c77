"""Reading an `edge.toml`: checked whole, and every mistake named by its table and setting."""

import tomllib
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key

from fairwatt.edge.config import (
    BrokerConfig,
    BusConfig,
    ConfigError,
    EdgeConfig,
    ListenConfig,
    MeterConfig,
    TelemetryConfig,
)
from fairwatt.edge.local.settings import read_local
from fairwatt.edge.tables import TableError, built

TABLES: Final = frozenset({"gateway", "broker", "keys", "telemetry", "bus", "listen", "local"})
_NOTHING: Final = "no meter was asked and the agent was not started; supply stays as it is"


def load(path: Path, /) -> EdgeConfig:
    """Read an ``edge.toml``. Relative paths in it start at its folder. Raises ConfigError."""
    try:
        tree = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{path} cannot be read: {error}; {_NOTHING}") from error
    try:
        return _from_tree(tree, path.parent)
    except KeyError as error:
        raise ConfigError(f"{path} lacks the setting {error}; {_NOTHING}") from error
    except (OSError, TypeError, ValueError) as error:
        raise ConfigError(f"{path}: {error}; {_NOTHING}") from error


def _from_tree(tree: dict[str, Any], folder: Path) -> EdgeConfig:
    if strange := sorted(set(tree) - TABLES):
        raise TableError(f"there is no table [{strange[0]}]; there are {', '.join(sorted(TABLES))}")
    gateway, keys = dict(tree["gateway"]), tree["keys"]
    broker = dict(tree["broker"])
    password_file = folder / broker.pop("password_file")
    password = password_file.read_text(encoding="utf-8").strip()
    gateway_id = gateway.pop("id")
    spool = folder / gateway.pop("spool")
    mark = gateway.pop("spool_mark", None)
    return built(
        EdgeConfig,
        gateway,
        where="[gateway]",
        gateway=gateway_id,
        spool=spool,
        spool_mark=None if mark is None else folder / mark,
        local=read_local(tree["local"], folder=folder, spool=spool) if "local" in tree else None,
        broker=built(BrokerConfig, broker, where="[broker]", password=password),
        buses=tuple(_bus(bus) for bus in tree.get("bus", ())),
        listens=tuple(_listen(one, folder) for one in tree.get("listen", ())),
        key=_private_key(folder / keys["own"]),
        kid=_kid(keys["own_kid"]) if "own_kid" in keys else gateway_id.encode(),
        telemetry=built(TelemetryConfig, tree["telemetry"], where="[telemetry]")
        if "telemetry" in tree
        else None,
        issuers={_kid(one["kid"]): _public_key(folder / one["public"]) for one in keys["issuer"]},
    )


def _bus(tree: dict[str, Any]) -> BusConfig:
    if tree.get("host") and not tree.get("port"):
        raise TableError(f"{_called('bus', tree)}: host needs its port")
    return built(BusConfig, _rest(tree), where=_called("bus", tree), meters=_meters("bus", tree))


def _listen(tree: dict[str, Any], folder: Path) -> ListenConfig:
    rest, more = _rest(tree), {}
    if "password_file" in rest:
        more["password"] = (folder / rest.pop("password_file")).read_text(encoding="utf-8").strip()
    return built(ListenConfig, rest, where=_called("listen", tree), meters=_meters("listen", tree), **more)


def _rest(tree: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in tree.items() if name != "meter"}


def _meters(kind: str, tree: dict[str, Any]) -> tuple[MeterConfig, ...]:
    where = _called(kind, tree)
    if not tree.get("meter"):
        raise TableError(f"{where} has no meter; add a [[{kind}.meter]] below it")
    return tuple(
        built(MeterConfig, meter, where=f"{where}, meter {meter.get('number', f'no. {n}')}")
        for n, meter in enumerate(tree["meter"], start=1)
    )


def _called(kind: str, tree: dict[str, Any]) -> str:
    return f"{kind} {tree['name']}" if "name" in tree else f"[[{kind}]]"


def _kid(text: Any) -> bytes:
    try:
        return bytes.fromhex(text)
    except (TypeError, ValueError):
        raise ConfigError(
            f'the key id {text!r} is not hexadecimal; the server wrote one such as "01"'
        ) from None


def _private_key(path: Path) -> Ed25519PrivateKey:
    if path.stat().st_mode & 0o077:
        raise ConfigError(f"{path} can be read by others: run chmod 600 on it")
    try:
        key = load_pem_private_key(path.read_bytes(), password=None)
    except (TypeError, ValueError):
        raise ConfigError(f"{path} holds no private key in PEM without a password") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise ConfigError(f"{path} is not an Ed25519 private key")
    return key


def _public_key(path: Path) -> Ed25519PublicKey:
    try:
        key = load_pem_public_key(path.read_bytes())
    except ValueError:
        raise ConfigError(f"{path} holds no public key in PEM; copy it from the server again") from None
    if not isinstance(key, Ed25519PublicKey):
        raise ConfigError(f"{path} is not an Ed25519 public key")
    return key
