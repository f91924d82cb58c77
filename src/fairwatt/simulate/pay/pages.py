"""What a payer sees at the simulated platforms: a sheet in green, a page in blue, a card form, a telephone."""

from __future__ import annotations

from html import escape
from typing import Final

from fairwatt.payments.amounts import MINOR_DIGITS, text_from_minor
from fairwatt.simulate.pay.books import Order

_SYMBOLS: Final = {"CNY": "¥", "GBP": "£", "EUR": "€", "USD": "$", "KES": "KSh "}
_WORDS: Final = {
    "en": {
        "note": "Simulated platform. No real money moves.",
        "to": "Pay to",
        "shop": "Merchant",
        "order": "Order",
        "pay": "Pay",
        "pin": "Enter M-PESA PIN to confirm",
        "send": "Send",
        "no": "Cancel",
        "card": "Card number",
        "no_card": "This is no card number. Nothing was taken; type it again.",
        "save": "Save the card and agree",
        "saving": "Save a card for payments that your supplier takes later",
        "mandate": "I allow this merchant to charge this card, without asking me each time, within what I agreed with "
        "it. I can end this at the merchant at any time.",
        "saved": "Card saved",
        "paid": "Payment successful",
        "gone": "This order cannot be paid any more. Nothing was taken.",
        "back": "Back to the merchant",
        "close": "You may close this page.",
    },
    "zh": {
        "note": "模拟平台，不会发生真实扣款。",
        "to": "付款给",
        "shop": "商户",
        "order": "订单",
        "pay": "确认付款",
        "pin": "请输入 M-PESA 密码确认",
        "send": "发送",
        "no": "取消",
        "card": "卡号",
        "no_card": "这不是有效的卡号，没有扣款，请重新输入。",
        "save": "保存此卡并同意",
        "saving": "保存银行卡，供商户以后扣款",
        "mandate": "我同意商户在约定范围内从此卡扣款，无需每次确认。我可随时在商户处取消。",
        "saved": "银行卡已保存",
        "paid": "支付成功",
        "gone": "该订单已无法支付，没有扣款。",
        "back": "返回商家",
        "close": "可以关闭本页。",
    },
}
_TINTS: Final = {"wechat": "#07a557", "alipay": "#1266e0", "stripe": "#5146d9", "mpesa": "#2f7d1f"}
_NAMES: Final = {
    "wechat": "WeChat Pay · 微信支付",
    "alipay": "Alipay · 支付宝",
    "stripe": "Card · Stripe",
    "mpesa": "M-PESA",
}
_CARD: Final = (
    '<input id=card name=card inputmode=numeric autocomplete=off value="4242 4242 4242 4242" required>'
)
_STYLE: Final = """
*{box-sizing:border-box}body{margin:0;min-height:100vh;background:#eceff3;color:#16202c;
font:17px/1.5 system-ui,"Noto Sans SC",sans-serif;display:grid;place-items:center;padding:1rem}
main{width:100%;max-width:24rem;background:#fff;border-radius:1.25rem;overflow:hidden;
box-shadow:0 1.2rem 3rem rgba(20,30,50,.16)}
header{background:var(--tint);color:#fff;padding:1rem 1.25rem;font-weight:600}
section{padding:1.5rem 1.25rem 1.25rem;text-align:center}.to{color:#556070;margin:0}
.sum{font-size:2.6rem;font-weight:650;margin:.2rem 0 1.2rem;letter-spacing:-.02em;font-variant-numeric:tabular-nums}
dl{margin:0 0 1.4rem;text-align:left;border-top:1px solid #e4e8ee}dl div{display:flex;justify-content:space-between;
gap:1rem;padding:.6rem 0;border-bottom:1px solid #e4e8ee}dt{color:#556070}dd{margin:0;overflow-wrap:anywhere;
text-align:right}button,.button{display:block;width:100%;font:inherit;font-weight:600;border:0;border-radius:.8rem;
background:var(--tint);color:#fff;padding:.85rem;cursor:pointer;text-decoration:none}
button.plain{background:none;color:#556070;margin-top:.4rem}button:focus-visible,.button:focus-visible{outline:3px solid
#16202c;outline-offset:2px}input{font:inherit;width:100%;padding:.7rem .8rem;border:1px solid #b6bfcc;
border-radius:.7rem;margin:0 0 1rem;text-align:center;letter-spacing:.1em}label{display:block;color:#556070;
margin-bottom:.3rem}.note{font-size:.82rem;color:#5a6472;margin:1rem 0 0}.done{font-size:3rem;
color:var(--tint);margin:0}h1{font-size:1.25rem;line-height:1.35;margin:0 0 1.2rem}.mandate{font-size:.9rem;
text-align:left;margin:0 0 1.2rem;color:#556070}
@media(prefers-color-scheme:dark){body{background:#10151c;color:#e9edf3}main{background:#1a212b}
.to,dt,label,.note,.mandate,button.plain{color:#a9b4c2}dl,dl div{border-color:#2c3644}
input{background:#10151c;color:inherit;
border-color:#455163}.done{color:#6fd3a0}}
"""


def money(order: Order) -> str:
    """The amount as the platform shows it."""
    digits = MINOR_DIGITS.get(order.currency, 2)
    return _SYMBOLS.get(order.currency, f"{order.currency} ") + text_from_minor(
        order.amount_minor, digits=digits
    )


def page(order: Order, *, language: str, state: str) -> bytes:
    """The page of an order: `ask` for the payment, and again for the `card`, or say that it was `paid` or is `gone`."""
    words = _WORDS["zh" if language.startswith("zh") else "en"]
    dialect, saving = order.shop.dialect, order.way == "setup"
    rows = f"<div><dt>{words['shop']}</dt><dd>{escape(order.shop.number)}</dd></div>"
    rows += f"<div><dt>{words['order']}</dt><dd>{escape(order.our_ref[:16])}</dd></div>"
    head = f"<p class=to>{words['to']} {escape(order.subject)}</p><p class=sum>{escape(money(order))}</p>"
    if saving:
        head = f"<h1>{words['saving']}</h1>"
    if state == "paid":
        back = (
            f'<a class=button href="{escape(order.return_url)}">{words["back"]}</a>'
            if order.return_url
            else f"<p>{words['close']}</p>"
        )
        done = words["saved" if saving else "paid"]
        middle = f"<p class=done aria-hidden=true>✓</p><p role=status><b>{done}</b></p>{head}{back}"
    elif state == "gone":
        middle = f"{head}<p role=alert>{words['gone']}</p>"
    else:
        asks = _saves(words) if saving else _asks(dialect, words)
        again = f"<p role=alert>{words['no_card']}</p>" if state == "card" else ""
        middle = f"{head}<dl>{rows}</dl>{again}<form method=post>{asks}</form>"
    return framed(dialect, middle, language=language)


def framed(dialect: str, middle: str, *, language: str) -> bytes:
    """A page of a platform around what it says."""
    chinese = language.startswith("zh")
    html = (
        f"<!doctype html><html lang={'zh-Hans' if chinese else 'en'}><meta charset=utf-8>"
        f'<meta name=viewport content="width=device-width"><title>{escape(_NAMES[dialect])}</title>'
        f"<style>:root{{--tint:{_TINTS[dialect]}}}{_STYLE}</style>"
        f"<main><header>{escape(_NAMES[dialect])}</header><section>{middle}"
        f"<p class=note>{_WORDS['zh' if chinese else 'en']['note']}</p></section></main></html>"
    )
    return html.encode()


def _saves(words: dict[str, str]) -> str:
    """A card to be saved, the sentence that is agreed to, and a way out."""
    return (
        f"<label for=card>{words['card']}</label>{_CARD}"
        f"<p class=mandate>{words['mandate']}</p><button name=do value=save>{words['save']}</button>"
        f"<button class=plain name=do value=no formnovalidate>{words['no']}</button>"
    )


def _asks(dialect: str, words: dict[str, str]) -> str:
    pay = f"<button name=do value=pay>{words['send' if dialect == 'mpesa' else 'pay']}</button>"
    if dialect == "mpesa":
        pin = (
            f'<label for=pin>{words["pin"]}</label><input id=pin inputmode=numeric maxlength=4 value="••••">'
        )
        return f"{pin}{pay}<button class=plain name=do value=no>{words['no']}</button>"
    if dialect == "stripe":
        return f"<label for=card>{words['card']}</label>{_CARD}{pay}"
    return pay
