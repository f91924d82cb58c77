"""The code on a payer's telephone, as the window scans it: whose it is, by its first digits.

WeChat Pay: 18 digits that begin with 10 to 15 (APIv3, code payment, `auth_code`). Alipay: 16 to 24 digits that begin
with 25 to 30 (`alipay.trade.pay`, `auth_code`).
"""

from __future__ import annotations

import re
from typing import Final

_WECHAT: Final = re.compile(r"1[0-5][0-9]{16}")
_ALIPAY: Final = re.compile(r"(2[5-9]|30)[0-9]{14,22}")


def read_code(*, typed: str) -> tuple[str, str]:
    """(provider, digits) of a code as a scanner or a person types it; ('', '') for what is none."""
    digits = "".join(char for char in typed if char not in " -\t\r\n")
    if not digits.isascii():
        return "", ""
    if _WECHAT.fullmatch(digits):
        return "wechat", digits
    if _ALIPAY.fullmatch(digits):
        return "alipay", digits
    return "", ""
