"""Merchant accounts from settings: what each provider needs, which of it is secret and to whom, and the adapter of it.

Rotation needs no second account: a later set of settings is laid over the earlier one, and `keys` and
`webhook_secrets` hold several entries by name, each with its days.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

from fairwatt.payments.alipay import Alipay
from fairwatt.payments.alipay.provider import ABILITIES as ALIPAY_ABILITIES
from fairwatt.payments.alipay.signing import GATEWAY as ALIPAY_GATEWAY
from fairwatt.payments.alipay.signing import KEY, AlipayAccount
from fairwatt.payments.clocks import rfc3339_us
from fairwatt.payments.contract import Abilities, Ability, PaymentProvider
from fairwatt.payments.keyring import (
    FOREVER_US,
    BadKey,
    KeyRing,
    ProviderKey,
    load_certificate,
    load_private,
    load_public,
)
from fairwatt.payments.mpesa import MPesa
from fairwatt.payments.mpesa.asking import GATEWAY as MPESA_GATEWAY
from fairwatt.payments.mpesa.asking import MPesaAccount
from fairwatt.payments.mpesa.provider import ABILITIES as MPESA_ABILITIES
from fairwatt.payments.stripe import Stripe
from fairwatt.payments.stripe.provider import ABILITIES as STRIPE_ABILITIES
from fairwatt.payments.stripe.signing import GATEWAY as STRIPE_GATEWAY
from fairwatt.payments.stripe.signing import StripeAccount
from fairwatt.payments.wechat import WechatPay
from fairwatt.payments.wechat.provider import ABILITIES as WECHAT_ABILITIES
from fairwatt.payments.wechat.signing import GATEWAY as WECHAT_GATEWAY
from fairwatt.payments.wechat.signing import WechatAccount


class Secrecy(Enum):
    """Who may know a setting."""

    PUBLIC = "public"
    READING = "reading"
    """web, poster and collector: what callbacks are checked with"""
    ACTING = "acting"
    """the collector alone: what acts in the merchant's name"""


@dataclass(frozen=True, slots=True)
class Setting:
    """One thing an account needs. `many` ones are kept by name, each with the days it holds."""

    name: str
    secrecy: Secrecy = Secrecy.PUBLIC
    required: bool = True
    long: bool = False
    many: bool = False


class BadSettings(ValueError):
    """Settings of which no account can be made; the text names the setting and repeats no secret."""


SETTINGS: Final[Mapping[str, tuple[Setting, ...]]] = {
    "wechat": (
        Setting("app_id"),
        Setting("mch_id"),
        Setting("serial_no"),
        Setting("private_key", Secrecy.ACTING, long=True),
        Setting("api_key", Secrecy.READING),
        Setting("keys", long=True, many=True),
        Setting("public_key_id", required=False),
        Setting("app_secret", Secrecy.ACTING, required=False),
    ),
    "alipay": (
        Setting("app_id"),
        Setting("seller_id"),
        Setting("private_key", Secrecy.ACTING, long=True),
        Setting("keys", long=True, many=True),
        Setting("app_cert_sn", required=False),
        Setting("root_cert_sn", required=False),
    ),
    "stripe": (
        Setting("account_id"),
        Setting("secret_key", Secrecy.ACTING),
        Setting("webhook_secrets", Secrecy.READING, many=True),
    ),
    "mpesa": (
        Setting("short_code"),
        Setting("consumer_key", Secrecy.ACTING),
        Setting("consumer_secret", Secrecy.ACTING),
        Setting("passkey", Secrecy.ACTING),
        Setting("nominated_number", required=False),
    ),
}
"""What is asked for on a page or in a file. An address other than the provider's own is said in a file only."""
OPTIONS: Final = frozenset({"gateway", "login_gateway", "login_page", "checkout", "currency", "live", "till"})
"""`gateway`, `checkout`, `currency`: a simulator's. `live`, `till`: kinds of account."""


def laid_over(sets: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Settings in the order they were given: a later one wins, and of those kept by name each for itself."""
    whole: dict[str, Any] = {}
    for one in sets:
        for name, value in one.items():
            before = whole.get(name)
            whole[name] = (
                {**before, **value} if isinstance(before, dict) and isinstance(value, dict) else value
            )
    return whole


def parted(provider: str, settings: Mapping[str, Any]) -> dict[Secrecy, dict[str, Any]]:
    """The same settings by who may know them. Raises BadSettings for one that nobody asks for."""
    if provider not in SETTINGS:
        raise BadSettings(f"there is no provider {provider!r}; known are {', '.join(SETTINGS)}")
    known = {one.name: one.secrecy for one in SETTINGS[provider]} | dict.fromkeys(OPTIONS, Secrecy.PUBLIC)
    strange = settings.keys() - known.keys()
    if strange:
        # The names of settings are ours; a secret that slipped into a name's place is not repeated.
        raise BadSettings(f"{len(strange)} settings are not known; known are {', '.join(sorted(known))}")
    out: dict[Secrecy, dict[str, Any]] = {one: {} for one in Secrecy}
    for name, value in settings.items():
        out[known[name]][name] = value
    return out


def check(provider: str, settings: Mapping[str, Any]) -> None:
    """Raise BadSettings unless an account that can act can be made of these."""
    parted(provider, settings)
    missing = [one.name for one in SETTINGS[provider] if one.required and not settings.get(one.name)]
    if missing:
        raise BadSettings(f"these settings are missing: {', '.join(missing)}")
    open_account(provider, settings)


def open_account(provider: str, settings: Mapping[str, Any]) -> PaymentProvider:
    """The adapter; without what only the collector knows it reads callbacks and asks nothing. Raises BadSettings."""
    try:
        return _MAKERS[provider](settings)
    except KeyError as missing:
        raise BadSettings(f"the setting {missing} is missing") from None
    except (BadKey, ValueError) as wrong:
        raise BadSettings(str(wrong)) from None


def _wechat(said: Mapping[str, Any]) -> PaymentProvider:
    private = said.get("private_key")
    return WechatPay(
        WechatAccount(
            app_id=_word(said, "app_id"),
            mch_id=_word(said, "mch_id"),
            ring=_ring(said["keys"]),
            api_key=str(said["api_key"]).encode(),
            public_key_id=str(said.get("public_key_id", "")),
            serial_no=str(said.get("serial_no", "")),
            private_key=load_private(private) if private else None,
            app_secret=str(said.get("app_secret", "")),
            gateway=str(said.get("gateway", WECHAT_GATEWAY)),
            login_gateway=str(said.get("login_gateway", "https://api.weixin.qq.com")),
            checkout=str(said.get("checkout", "")),
            login_page=str(said.get("login_page", "https://open.weixin.qq.com/connect/oauth2/authorize")),
        )
    )


def _alipay(said: Mapping[str, Any]) -> PaymentProvider:
    private = said.get("private_key")
    return Alipay(
        AlipayAccount(
            app_id=_word(said, "app_id"),
            seller_id=_word(said, "seller_id"),
            ring=_ring(said["keys"]),
            private_key=load_private(private) if private else None,
            app_cert_sn=str(said.get("app_cert_sn", "")),
            root_cert_sn=str(said.get("root_cert_sn", "")),
            currency=str(said.get("currency", "CNY")),
            gateway=str(said.get("gateway", ALIPAY_GATEWAY)),
        )
    )


def _stripe(said: Mapping[str, Any]) -> PaymentProvider:
    secrets = said["webhook_secrets"]
    if not isinstance(secrets, Mapping):
        raise ValueError("webhook_secrets are given by name")
    return Stripe(
        StripeAccount(
            account_id=_word(said, "account_id"),
            webhook_secrets=tuple(str(one) for one in secrets.values() if one),
            secret_key=str(said.get("secret_key", "")),
            live=bool(said.get("live", True)),
            gateway=str(said.get("gateway", STRIPE_GATEWAY)),
        )
    )


def _mpesa(said: Mapping[str, Any]) -> PaymentProvider:
    return MPesa(
        MPesaAccount(
            short_code=_word(said, "short_code"),
            consumer_key=str(said.get("consumer_key", "")),
            consumer_secret=str(said.get("consumer_secret", "")),
            passkey=str(said.get("passkey", "")),
            till=bool(said.get("till", False)),
            nominated_number=str(said.get("nominated_number", "")),
            currency=str(said.get("currency", "KES")),
            gateway=str(said.get("gateway", MPESA_GATEWAY)),
            checkout=str(said.get("checkout", "")),
        )
    )


ABILITIES: Final[Mapping[str, Abilities]] = {
    "wechat": WECHAT_ABILITIES,
    "alipay": ALIPAY_ABILITIES,
    "stripe": STRIPE_ABILITIES,
    "mpesa": MPESA_ABILITIES,
}
_MAKERS: Final[Mapping[str, Callable[[Mapping[str, Any]], PaymentProvider]]] = {
    "wechat": _wechat,
    "alipay": _alipay,
    "stripe": _stripe,
    "mpesa": _mpesa,
}


def refunds_to_source(*, provider: str) -> bool:
    """Whether this provider pays money back to who paid it, when we ask; others are paid out at the window."""
    abilities = ABILITIES.get(provider)
    return abilities is not None and Ability.REFUND in abilities.can


def _ring(keys: Any) -> KeyRing:
    """Keys by their serial. Each is PEM, or `{pem, from, until}` (RFC 3339); a certificate brings its days."""
    if not isinstance(keys, Mapping) or not keys:
        raise ValueError("keys are given by their serial, one at least")
    return KeyRing([_key(serial, one) for serial, one in keys.items()])


def _key(serial: str, said: Any) -> ProviderKey:
    entry = {"pem": said} if isinstance(said, str) else said
    pem = str(entry["pem"])
    if "BEGIN CERTIFICATE" in pem:
        found = load_certificate(pem)
        # Alipay calls a certificate by a name of its own making.
        named = found.serial if serial.upper() == found.serial.lstrip("0") else serial
        from_us, until_us = found.from_us, found.until_us
        public = found.key
    else:
        named, public = serial or KEY, load_public(pem)
        from_us, until_us = 0, FOREVER_US
    return ProviderKey(
        serial=named,
        key=public,
        from_us=rfc3339_us(entry["from"]) if "from" in entry else from_us,
        until_us=rfc3339_us(entry["until"]) if "until" in entry else until_us,
    )


def _word(said: Mapping[str, Any], name: str) -> str:
    found = str(said[name])
    if not found or not found.isascii() or not found.isprintable() or len(found) > 80:
        raise ValueError(f"{name} is no plain word of up to 80 characters")
    return found
