"""What a person sees at the simulated payment platform, in English or Chinese."""

from dataclasses import dataclass, field
from enum import Enum
from html import escape
from urllib.parse import parse_qs, urlsplit

_WORDS = {
    "en": {
        "title": "Sandbox payment",
        "note": "This is a test platform. No real money moves.",
        "pay": "Pay {amount}",
        "order": "Order",
        "paid": "Paid. Your supplier is being told; you may close this page.",
        "fault": "This payment cannot be made: {fault} Nothing was paid. Go back and start again.",
        "our_ref": "the order has no reference.",
        "amount_minor": "the amount is not a positive whole number of the smallest coin.",
        "currency": "the currency is not a three-letter code.",
        "return_url": "the way back is not a web address.",
    },
    "zh": {
        "title": "沙盒支付",
        "note": "这是测试平台，不会发生真实扣款。",
        "pay": "支付 {amount}",
        "order": "订单",
        "paid": "已支付，正在通知您的供电方，可以关闭本页。",
        "fault": "无法完成支付：{fault}没有发生扣款，请返回重新发起。",
        "our_ref": "订单缺少编号。",
        "amount_minor": "金额必须是以最小货币单位计的正整数。",
        "currency": "币种不是三位代码。",
        "return_url": "返回地址不是网址。",
    },
}
_STYLE = (
    "body{font:17px/1.5 system-ui,sans-serif;max-width:22rem;margin:12vh auto;padding:0 1rem;color:#1c2430;"
    "background:#fff}button{font:inherit;width:100%;padding:.8rem;border:0;border-radius:.5rem;background:#1d5fd1;"
    "color:#fff}.note{background:#fff4d6;padding:.6rem .8rem;border-radius:.5rem}"
)


class Page(Enum):
    """Which of the three pages to show."""

    ASK = 1
    PAID = 2
    FAULT = 3


@dataclass(frozen=True, slots=True)
class Answer:
    """One HTTP answer."""

    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)

    @classmethod
    def text(cls, status: int, words: str) -> "Answer":
        """A plain sentence."""
        return cls(status, words.encode(), {"Content-Type": "text/plain; charset=utf-8"})

    @classmethod
    def see_other(cls, url: str) -> "Answer":
        """Send the browser on, without repeating its POST."""
        return cls(303, b"", {"Location": url})


@dataclass(frozen=True, slots=True)
class Order:
    """An order as the product's redirect states it; `fault` names the field that makes it unusable."""

    our_ref: str
    amount_minor: int
    currency: str
    return_url: str
    language: str
    fault: str


def read_order(text: bytes, *, language: str = "") -> Order:
    """Read an order from a query string or a form. A `lang` field wins over the browser's language."""
    fields = {name: values[0].strip() for name, values in parse_qs(text.decode("utf-8", "replace")).items()}
    digits, currency, back = (fields.get(name, "") for name in ("amount_minor", "currency", "return_url"))
    usable = digits.isascii() and digits.isdecimal() and len(digits) < 12
    amount_minor = int(digits) if usable else 0
    fault = ""
    if not fields.get("our_ref"):
        fault = "our_ref"
    elif amount_minor <= 0:
        fault = "amount_minor"
    elif not (len(currency) == 3 and currency.isascii() and currency.isupper()):
        fault = "currency"
    # A header may not carry a line break, and only web addresses make sense to go back to.
    elif back and (urlsplit(back).scheme not in {"http", "https"} or any(c.isspace() for c in back)):
        fault = "return_url"
    wanted = fields.get("lang") or language
    return Order(
        fields.get("our_ref", ""),
        amount_minor,
        currency,
        back,
        "zh" if wanted.startswith("zh") else "en",
        fault,
    )


def checkout_page(order: Order, *, page: Page) -> Answer:
    """The page for an order: ask for the payment, say it was made, or say why it cannot be."""
    words = _WORDS[order.language]
    if page is Page.FAULT:
        middle = f"<p role=alert>{escape(words['fault'].format(fault=words[order.fault]))}</p>"
    elif page is Page.PAID:
        middle = f"<p role=status>{escape(words['paid'])}</p>"
    else:
        fields = "".join(
            f'<input type=hidden name={name} value="{escape(str(value))}">'
            for name, value in (
                ("our_ref", order.our_ref),
                ("amount_minor", order.amount_minor),
                ("currency", order.currency),
                ("return_url", order.return_url),
                ("lang", order.language),
            )
        )
        amount = f"{order.amount_minor // 100}.{order.amount_minor % 100:02d} {order.currency}"
        middle = (
            f"<p>{escape(words['order'])} <code>{escape(order.our_ref)}</code></p>"
            f"<form method=post action=/pay>{fields}"
            f"<button>{escape(words['pay'].format(amount=amount))}</button></form>"
        )
    html = (
        f"<!doctype html><html lang={'zh-Hans' if order.language == 'zh' else 'en'}><meta charset=utf-8>"
        f'<meta name=viewport content="width=device-width"><title>{escape(words["title"])}</title>'
        f"<style>{_STYLE}</style><main><h1>{escape(words['title'])}</h1>"
        f"<p class=note>{escape(words['note'])}</p>"
        f"{middle}</main></html>"
    )
    return Answer(
        400 if page is Page.FAULT else 200, html.encode(), {"Content-Type": "text/html; charset=utf-8"}
    )
