"""Alipay, for a merchant of its own: on its page, by a code, at the window."""

from fairwatt.payments.alipay.provider import Alipay

__all__ = ["Alipay"]
