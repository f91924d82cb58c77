"""The kinds of lines there are. A new one is a file here and a line below."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from fairwatt.notify.aliyun import AliyunSms
from fairwatt.notify.contract import BadAccount, Sender
from fairwatt.notify.mail import Mail
from fairwatt.notify.tencent import TencentSms
from fairwatt.notify.twilio import TwilioSms
from fairwatt.notify.webpush import WebPush
from fairwatt.notify.wechat import WeChat

SENDERS: Final[Mapping[str, Callable[[Mapping[str, Any]], Sender | Mail]]] = {
    "smtp": Mail,
    "aliyun": AliyunSms,
    "tencent": TencentSms,
    "twilio": TwilioSms,
    "wechat": WeChat,
    "webpush": WebPush,
}


def sender_of(*, kind: str, settings: Mapping[str, Any]) -> Sender | Mail:
    """The sender of an account. Raises BadAccount."""
    made = SENDERS.get(kind)
    if made is None:
        raise BadAccount(f"{kind!r} is no kind of line; there are {', '.join(sorted(SENDERS))} and apprise")
    return made(settings)
