"""WeChat Pay, APIv3, for a merchant of its own (not a service provider): in the app, by a code, at the window."""

from fairwatt.payments.wechat.provider import WechatPay

__all__ = ["WechatPay"]
