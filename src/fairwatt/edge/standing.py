"""What the meters and this gateway are to be like, besides supply: carried out, reported, remembered.

A command of a slot is on the disk before the meter hears of it; its receipt is signed; and behind the receipt
stands what the meter then shows of itself, which alone is the proof.
"""

from collections import OrderedDict
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from typing import Any, Final

import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from fairwatt.drivers.contract import DriverError, KeepsClock, LimitsPower, ShowsPrices
from fairwatt.edge.bus import Bus, BusDown, Silent
from fairwatt.edge.config import EdgeConfig
from fairwatt.edge.ear import Ear
from fairwatt.edge.limits import Limits
from fairwatt.edge.meters import MeterPoint, Meters
from fairwatt.edge.rollback import Doubt
from fairwatt.edge.spool import Spool
from fairwatt.edge.watches import Watches
from fairwatt.wire import cbor, cose
from fairwatt.wire.commands import Command, Receipt, Result, decode_command, hash8, sign_receipt
from fairwatt.wire.errors import FrameError
from fairwatt.wire.frames import Detail, Event, Kind, encode_event
from fairwatt.wire.records import Relay
from fairwatt.wire.standing import (
    GATEWAY,
    SETTINGS,
    Configure,
    LimitPower,
    SetClock,
    ShowPrices,
    TrustIssuer,
    Watch,
    prices_digest,
    watch_digest,
)

log = structlog.get_logger(__name__)

_KEPT: Final = "standing/"
_ISSUERS: Final = "issuers"
_SETTINGS: Final = "settings"
_REMEMBERED_ANSWERS: Final = 256

type Keys = Mapping[bytes, Ed25519PublicKey]


class NotThisModel(DriverError):
    """The meter's model cannot do what the command asks; nothing was changed."""

    code = "not_this_model"


class Standing:
    """Takes commands of every kind but supply. One at a time for a bus; nothing else may talk there meanwhile."""

    def __init__(
        self,
        *,
        config: EdgeConfig,
        spool: Spool,
        doubt: Doubt,
        meters: Meters,
        now: Callable[[], int],
        on_settings: Callable[[EdgeConfig], None],
    ) -> None:
        self._config = config
        self._spool = spool
        self._doubt = doubt
        self._meters = meters
        self._now = now
        self._on_settings = on_settings
        self.watches = Watches(spool=spool)
        self.limits = Limits(spool=spool)
        self.issuers: Keys = self._known_issuers()
        self._told: OrderedDict[tuple[str, bytes], int] = OrderedDict()
        """which command was answered by which record of the spool"""

    def _known_issuers(self) -> Keys:
        kept = self._spool.get(_ISSUERS)
        if kept is None:
            return dict(self._config.issuers)
        value = cbor.decode(kept, max_bytes=4096, what="the kept issuers")
        assert isinstance(value, dict)
        return {bytes(kid): Ed25519PublicKey.from_public_bytes(bytes(key)) for kid, key in value.items()}

    def configured(self) -> EdgeConfig:
        """The gateway's own file with what was set from afar."""
        kept = self._spool.get(_SETTINGS)
        if kept is None:
            return self._config
        value = cbor.decode(kept, max_bytes=4096, what="the kept settings")
        assert isinstance(value, dict)
        settings: dict[str, Any] = {str(name): int(number) for name, number in value.items()}
        return replace(self._config, **settings)

    async def take(self, message: bytes, command: Command, /) -> None:
        """Carry out a checked command, or say in a receipt why not. The same bytes twice get the same answer."""
        if command.meter != GATEWAY and command.meter not in self._meters.points:
            log.warning("standing_unknown_meter", meter=command.meter, kind=command.kind)
            return
        seq, known, receipt = self._stored(command.kind, command.meter)
        if command.seq > seq:
            if command.issued_us < self._doubt.orders_us:
                self._answer(message, command, Result.STALE)
                return
            if self._now() >= command.expires_us:
                self._answer(message, command, Result.EXPIRED)
                return
            self._store(command, message, b"")
            await self._carry_out(message, command)
        elif command.seq < seq:
            self._answer(message, command, Result.STALE)
        elif message != known:
            self._answer(message, command, Result.OTHER_BYTES)
        elif receipt:
            self._say(message, command, receipt)
            await self._report(message, command)
        else:
            await self._carry_out(message, command)

    async def retry_open(self, points: Collection[MeterPoint], /) -> None:
        """Carry out what was accepted but not done: the meter was silent, or the power failed in between."""
        mine = {point.number for point in points if point.trouble is None}
        for key, _ in self._spool.entries(_KEPT):
            _, kind, meter = key.split("/")
            if int(meter) != GATEWAY and int(meter) not in mine:
                continue
            _, message, receipt = self._stored(int(kind), int(meter))
            if message and not receipt:
                try:
                    command = decode_command(cose.unverified_payload(message))
                except FrameError as error:
                    log.error("standing_unreadable", key=key, error=str(error))
                    continue
                await self._carry_out(message, command)

    async def _carry_out(self, message: bytes, command: Command) -> None:
        if command.issued_us < self._doubt.orders_us:
            # Accepted in an older copy of this memory: newer wishes may have been carried out since.
            self._finish(message, command, Result.STALE)
            return
        if self._now() >= command.expires_us:
            self._finish(message, command, Result.EXPIRED)
            return
        try:
            await self._do(command)
        except (BusDown, Silent) as error:
            log.warning("standing_waits_for_meter", meter=command.meter, error=str(error))
            return
        except DriverError as error:
            detail: Detail = {
                "kind": command.kind,
                "seq": command.seq,
                "why": error.code,
                "text": str(error)[:300],
            }
            self._event("standing_refused", command.meter, detail)
            self._finish(message, command, Result.METER_REFUSED)
            return
        self._finish(message, command, Result.APPLIED)
        await self._report(message, command)

    async def _do(self, command: Command) -> None:
        body = command.body
        match body:
            case TrustIssuer():
                self._trust(body)
            case Configure():
                self._configure(body)
            case LimitPower(limit_w=limit):
                driver = self._limits(command.meter)
                await self.limits.order(self._meters.points[command.meter], driver, limit)
            case Watch():
                self.watches.put(command.meter, body)
            case SetClock():
                clock = self._clock(command.meter)
                await self._bus(command.meter).ask(clock.set_clock(at_us=self._now()))
            case ShowPrices(prices=prices):
                shown = self._prices(command.meter)
                await self._bus(command.meter).ask(shown.show_prices(prices_micro=[p for _, p in prices]))
            case _:
                raise NotThisModel("a command for supply is not carried out here")

    def _limits(self, meter: int) -> LimitsPower:
        driver = self._meters.points[meter].driver
        if not isinstance(driver, LimitsPower):
            raise _not_this_model(meter, "limit power")
        return driver

    def _clock(self, meter: int) -> KeepsClock:
        driver = self._meters.points[meter].driver
        if not isinstance(driver, KeepsClock):
            raise _not_this_model(meter, "keep a clock that can be set")
        return driver

    def _prices(self, meter: int) -> ShowsPrices:
        driver = self._meters.points[meter].driver
        if not isinstance(driver, ShowsPrices):
            raise _not_this_model(meter, "show prices")
        return driver

    def _bus(self, meter: int) -> Bus | Ear:
        return self._meters.points[meter].bus

    def _trust(self, body: TrustIssuer) -> None:
        if body.gateway != self._config.gateway:
            raise NotThisModel(f"the new issuer is for gateway {body.gateway}")
        keys = {**self.issuers, body.kid: Ed25519PublicKey.from_public_bytes(body.public)}
        if body.retire is not None and body.retire != body.kid:
            keys.pop(body.retire, None)
        if len(keys) > 2:
            raise NotThisModel("two issuers are active already; retire one of them in the same command")
        kept = {kid: key.public_bytes_raw() for kid, key in keys.items()}
        self._spool.put([(_ISSUERS, cbor.encode(kept))])
        self.issuers = keys

    def _configure(self, body: Configure) -> None:
        if body.gateway != self._config.gateway:
            raise NotThisModel(f"the settings are for gateway {body.gateway}")
        self._spool.put([(_SETTINGS, cbor.encode(dict(body.settings)))])
        self._on_settings(self.configured())

    async def _report(self, message: bytes, command: Command) -> None:
        """Spool what the meter or this gateway now is, whatever was wished: the proof, or the contrary."""
        if self._waits("reported", message):
            return
        detail: dict[str, int | str | bool | bytes | None] = {"kind": command.kind, "seq": command.seq}
        try:
            detail |= await self._shown(command)
        except DriverError as error:
            log.warning("standing_not_shown", meter=command.meter, error=str(error))
            return
        self._note("reported", message, command.meter, detail)

    async def _shown(self, command: Command) -> dict[str, int | str | bool | bytes | None]:
        meter = command.meter
        match command.body:
            case TrustIssuer():
                return {"kids": ",".join(sorted(kid.hex() for kid in self.issuers))}
            case Configure():
                config = self.configured()
                return {name: int(getattr(config, name)) for name in SETTINGS}
            case Watch():
                watch = self.watches.get(meter)
                return {} if watch is None else {"watch": watch_digest(watch)}
            case LimitPower():
                limits = self._limits(meter)
                shown_w = (await self._bus(meter).ask(limits.read_power_limit())).limit_w
                left_w = self.limits.left_w(meter)
                return {"limit_w": shown_w, **({} if left_w is None else {"left_w": left_w})}
            case SetClock():
                clock = self._clock(meter)
                shown_us = (await self._bus(meter).ask(clock.read_clock())).at_us
                return {"offset_s": (shown_us - self._now()) // 1_000_000}
            case ShowPrices(prices=prices):
                driver = self._prices(meter)
                shown = await self._bus(meter).ask(driver.read_shown_prices(count=len(prices)))
                return {"prices": prices_digest(tuple(("", micro) for micro in shown.prices_micro))}
            case _:
                return {}

    def _finish(self, message: bytes, command: Command, result: Result) -> None:
        receipt = self._receipt(message, command, result)
        with self._spool.atomic():
            self._store(command, message, receipt)
            self._say(message, command, receipt)
        log.info("standing_done", meter=command.meter, kind=command.kind, seq=command.seq, result=result.name)

    def _answer(self, message: bytes, command: Command, result: Result) -> None:
        self._say(message, command, self._receipt(message, command, result))

    def _say(self, message: bytes, command: Command, receipt: bytes) -> None:
        if not self._waits("standing_receipt", message):
            detail: Detail = {"kind": command.kind, "seq": command.seq, "message": receipt}
            self._note("standing_receipt", message, command.meter, detail)

    def _note(self, code: str, message: bytes, meter: int, detail: Detail) -> None:
        self._told[code, hash8(message)] = self._event(code, meter, detail)
        if len(self._told) > _REMEMBERED_ANSWERS:
            self._told.popitem(last=False)

    def _waits(self, code: str, message: bytes) -> bool:
        """Say whether such an answer to these bytes waits to be acknowledged already.

        Events are never dropped: whoever offers one command again and again could fill the memory otherwise.
        """
        return self._told.get((code, hash8(message)), 0) > self._spool.acked_seq

    def _receipt(self, message: bytes, command: Command, result: Result) -> bytes:
        told = Receipt(command.meter, command.seq, result, Relay.UNKNOWN, None, self._now(), hash8(message))
        return sign_receipt(receipt=told, key=self._config.key, kid=self._config.kid)

    def _store(self, command: Command, message: bytes, receipt: bytes) -> None:
        kept = cbor.encode([command.seq, message, receipt])
        self._spool.put([(f"{_KEPT}{command.kind}/{command.meter}", kept)])

    def _stored(self, kind: int, meter: int) -> tuple[int, bytes, bytes]:
        kept = self._spool.get(f"{_KEPT}{kind}/{meter}")
        if kept is None:
            return 0, b"", b""
        seq, message, receipt = cbor.array(
            cbor.decode(kept, max_bytes=cose.MAX_MESSAGE_BYTES + 4096, what="a kept command"),
            length=3,
            what="a kept command",
        )
        return (
            cbor.integer(seq, what="seq"),
            cbor.octets(message, what="message"),
            cbor.octets(receipt, what="receipt"),
        )

    def _event(self, code: str, meter: int, detail: Detail) -> int:
        body = encode_event(Event(code, self._now(), meter, detail))
        return self._spool.append(kind=Kind.EVENT, body=body, at_us=self._now())


def _not_this_model(meter: int, what: str) -> NotThisModel:
    return NotThisModel(f"meter {meter} is of a model that cannot {what}; nothing was changed")
