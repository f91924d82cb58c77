"""What a gateway knows of itself, told to whoever may open its local socket; and what its file says when it rests."""

import asyncio
import json
import os
import socket
import sqlite3
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import structlog

from fairwatt.edge.agent import Agent
from fairwatt.edge.config import BusConfig, EdgeConfig, ListenConfig
from fairwatt.edge.meters import Branch, MeterPoint
from fairwatt.wire.records import UNKNOWN_I32, Relay

log = structlog.get_logger(__name__)

type Picture = dict[str, Any]

_PATH_BYTES_MAX: Final = 100
_ANSWER_WITHIN_S: Final = 5.0
_ALMOST_FULL_PERCENT: Final = 80


def socket_path(*, spool: Path) -> Path:
    """Where the agent with this spool answers: beside the file, or in the temporary folder if that is too long."""
    beside = spool.absolute().with_suffix(".sock")
    if len(os.fsencode(beside)) <= _PATH_BYTES_MAX:
        return beside
    return Path(tempfile.gettempdir()) / f"fairwatt-{sha256(os.fsencode(beside)).hexdigest()[:16]}.sock"


@asynccontextmanager
async def answering(agent: Agent) -> AsyncIterator[None]:
    """Tell whoever calls on the agent's socket, as one JSON object; only the agent's own user may call."""
    path = socket_path(spool=agent.config.spool)
    # The spool is ours alone, so whoever left this socket behind is gone.
    path.unlink(missing_ok=True)
    before = os.umask(0o177)
    try:
        server = await asyncio.start_unix_server(_teller(lambda: picture(agent)), path)
    finally:
        os.umask(before)
    config = agent.config
    meters = sum(len(line.meters) for line in config.lines)
    log.info(
        "agent_runs", gateway=config.gateway, meters=meters, buses=len(config.lines), answers_at=str(path)
    )
    try:
        yield
    finally:
        server.close()
        path.unlink(missing_ok=True)


def _teller(look: Callable[[], Picture]) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], Any]:
    async def tell(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            writer.write(json.dumps(look()).encode())
            await writer.drain()
        writer.close()

    return tell


def ask(*, spool: Path) -> Picture | None:
    """The picture of the agent that runs on this spool; None when none runs."""
    data = b""
    with socket.socket(socket.AF_UNIX) as line:
        line.settimeout(_ANSWER_WITHIN_S)
        try:
            line.connect(os.fspath(socket_path(spool=spool)))
            while more := line.recv(65536):
                data += more
        except OSError:
            return None
    try:
        found: Picture = json.loads(data)
    except ValueError:
        return None
    return found


def at_rest(config: EdgeConfig) -> Picture:
    """What can be said of a gateway whose agent does not run."""
    meters = [
        {"meter": meter.number, "address": meter.address, "bus": bus.name, "trouble": "not_running"}
        for bus in config.lines
        for meter in bus.meters
    ]
    return {
        **_who(config),
        "running": False,
        "spool": _spool_at_rest(config.spool),
        "meters": meters,
        "wallets": [],
        "trouble": [
            {
                "code": "not_running",
                "text": "the agent does not run: meters are not read, supply stays as it is",
            }
        ],
    }


def _spool_at_rest(path: Path) -> Picture | None:
    """Depth of the spool by its file; None when there is no file or it cannot be read."""
    if not path.exists():
        return None
    try:
        db = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=1)
        try:
            kept = dict(db.execute("SELECT key, value FROM kv WHERE key IN ('acked', 'epoch')").fetchall())
            acked = int.from_bytes(kept.get("acked", b""), "big")
            query = "SELECT count(*), coalesce(sum(length(body)), 0) FROM record WHERE seq > ?"
            count, size = db.execute(query, (acked,)).fetchone()
        finally:
            db.close()
    except sqlite3.Error:
        return None
    return {"records": count, "bytes": size, "epoch": int.from_bytes(kept.get("epoch", b""), "big")}


def picture(agent: Agent) -> Picture:
    """Everything the agent knows at this instant, fit for JSON."""
    config, now_us = agent.config, agent.clock.now_us()
    alone = not agent.link.is_up(now_us=now_us)
    meters = [_meter(agent, branch, point) for branch in agent.meters.branches for point in branch.points]
    told: Picture = {
        **_who(config),
        "running": True,
        "at_us": now_us,
        "link": {
            "broker": f"{config.broker.host}:{config.broker.port}",
            "connected": agent.link.connected.is_set(),
            "alone": alone,
            "quiet_since_us": agent.link.quiet_since_us,
            "answered_us": agent.link.acked_us,
        },
        "clock": {
            "corrected_us": agent.clock.correction_us,
            "working_off_us": agent.clock.offset_us,
            "drift_ppb": agent.clock.rate_ppb,
            "known": agent.link.knows_time,
        },
        "spool": {
            "records": agent.spool.count,
            "bytes": agent.spool.bytes_waiting,
            "max_bytes": agent.spool.max_bytes,
            "epoch": agent.spool.epoch,
            "last_seq": agent.spool.last_seq,
            "acked_seq": agent.spool.acked_seq,
            "not_kept": agent.not_kept,
        },
        "buses": [_bus(branch) for branch in agent.meters.branches],
        "meters": meters,
        "wallets": [held._asdict() for held in agent.guard.holdings()],
    }
    told["trouble"] = _trouble(told)
    return told


def _who(config: EdgeConfig) -> Picture:
    return {"gateway": config.gateway, "book": config.book, "site": config.site, "zone": config.zone}


def _bus(branch: Branch) -> Picture:
    return {"bus": branch.config.name, "line": line_of(branch.config), "polled_us": branch.polled_us}


def line_of(config: BusConfig | ListenConfig) -> str:
    """A line in few words."""
    if isinstance(config, ListenConfig):
        return f"hears {config.protocol} at {config.host}:{config.port}"
    if config.device:
        return f"{config.device} {config.baud} {config.parity}"
    if config.listen_port:
        return f"calls port {config.listen_port} {config.registration}".rstrip()
    return f"{config.host}:{config.port}"


def _meter(agent: Agent, branch: Branch, point: MeterPoint) -> Picture:
    last = point.last
    known = (
        {}
        if last is None
        else {
            "read_us": last.at_us,
            "register_wh": last.total_wh,
            "power_w": None if last.power_w == UNKNOWN_I32 else last.power_w,
            "voltage_dv": None if last.voltage_dv == UNKNOWN_I32 else last.voltage_dv,
        }
    )
    return {
        "meter": point.number,
        "address": point.address,
        "bus": branch.config.name,
        "profile": point.profile.key,
        "trouble": point.trouble,
        "relay": Relay(point.relay).name.lower(),
        "tripped_here": agent.guard.is_tripped(meter=point.number),
        "waits_for_grant": agent.guard.is_doubted(meter=point.number),
        **known,
    }


def _trouble(told: Picture) -> list[Picture]:
    found: list[Picture] = [
        {
            "code": "meter_silent",
            "meter": meter["meter"],
            "text": f"meter {meter['meter']} does not answer ({meter['trouble']}); its supply is as it was",
        }
        for meter in told["meters"]
        if meter["trouble"]
    ]
    if told["link"]["alone"]:
        text = "no answer from the head-end: readings are kept, credit is counted by the last grants"
        found.append({"code": "alone", "text": text})
    spool = told["spool"]
    if spool["not_kept"]:
        found.append({"code": "not_kept", "text": spool["not_kept"]})
    if spool["bytes"] * 100 >= spool["max_bytes"] * _ALMOST_FULL_PERCENT:
        text = "the memory is almost full: the oldest readings will make room, receipts and events never do"
        found.append({"code": "spool_almost_full", "text": text})
    waiting = [meter["meter"] for meter in told["meters"] if meter["waits_for_grant"]]
    if waiting:
        text = f"the memory was put back from an older copy: {len(waiting)} meters wait for a fresh grant"
        found.append({"code": "memory_rolled_back", "text": text})
    return found
