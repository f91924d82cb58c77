"""E-fapiao at the platform: asked for, asked about with growing patience, until it is issued or refused."""

from __future__ import annotations

import secrets
from functools import partial
from typing import Protocol

import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from fairwatt.collector.carrier import Carrier
from fairwatt.collector.hands import Piece
from fairwatt.flows.invoicing import efapiao as flow
from fairwatt.payments.efapiao import DirectLink, EInvoiceProvider, Said
from fairwatt.payments.exchange import Exchange, Moment, ProviderRefused, ProviderTrouble
from fairwatt.store.efapiao import Efapiao

log = structlog.get_logger(__name__)


class Clock(Protocol):
    """Domain time."""

    def now_us(self) -> int:
        """Microseconds since the Unix epoch, UTC."""
        ...


class Efapiaos:
    """Carries requests to their platforms and what these say back."""

    def __init__(self, *, carrier: Carrier, clock: Clock, key: Ed25519PrivateKey) -> None:
        self._carrier, self._clock, self._key = carrier, clock, key

    def due(self) -> list[Piece]:
        """The questions that are due now."""
        return [partial(self.ask, efapiao=one) for one in flow.due(now_us=self._clock.now_us())]

    def ask(self, *, efapiao: int) -> None:
        """Do what is next for one request: make it, or ask how it stands."""
        taken = flow.take(efapiao=efapiao, now_us=self._clock.now_us())
        if taken is None:
            return
        one, platform = taken
        line: EInvoiceProvider = DirectLink(
            origin=platform.origin,
            taxpayer=platform.taxpayer,
            key=self._key,
            platform_key=Ed25519PublicKey.from_public_bytes(platform.platform_key),
        )
        at = Moment(now_us=self._clock.now_us(), nonce=secrets.token_hex(16))
        try:
            said = self._carrier.carry(_exchange(line, one, at), account=f"efapiao:{platform.platform}")
        except ProviderRefused as refused:
            # A no is an answer where it is about what was asked for; that a request is not known is none yet.
            if one.state == "asked":
                said = Said(state="refused", code=refused.reason[:60], words=str(refused)[:300])
            else:
                self._trouble(one, refused.code)
                return
        except ProviderTrouble as trouble:
            self._trouble(one, trouble.code)
            return
        flow.note_said(one=one, said=said, now_us=self._clock.now_us())

    def _trouble(self, one: Efapiao, code: str) -> None:
        log.warning("collector.trouble", efapiao=one.efapiao, code=code)
        flow.note_trouble(one=one, code=code, now_us=self._clock.now_us())


def _exchange(line: EInvoiceProvider, one: Efapiao, at: Moment) -> Exchange[Said]:
    """Until the platform said that it has it, it is asked for again: under its serial it is one."""
    if one.state == "pending":
        return line.query(serial=one.serial, at=at)
    if one.sort == "red":
        return line.red_letter(serial=one.serial, body=one.body, at=at)
    return line.request(serial=one.serial, body=one.body, at=at)
