"""The telephone's menu "Lipa na M-PESA, Pay Bill": two numbers and an amount, who it goes to, a PIN."""

from __future__ import annotations

import asyncio
from html import escape
from typing import Final
from urllib.parse import parse_qs

from fairwatt.payments.amounts import minor_from_text, text_from_minor
from fairwatt.simulate.pay.books import PayError
from fairwatt.simulate.pay.pages import framed
from fairwatt.simulate.pay.talking import Said
from fairwatt.simulate.pay.world import World

ADDRESS: Final = "/p/mpesa/menu"
_HTML: Final = {"Content-Type": "text/html; charset=utf-8"}
_WORDS: Final = {
    "en": {
        "title": "Pay Bill",
        "shop": "Business number",
        "named": "Account number",
        "amount": "Amount",
        "on": "Continue",
        "send": "Send",
        "to": "Send to",
        "for": "Account",
        "pin": "Enter M-PESA PIN to confirm",
        "paid": "Confirmed. Sent.",
        "again": "Another payment",
        "C2B00012": "Failed: the account number is wrong. No money was taken.",
        "C2B00013": "Failed: this amount is not accepted. No money was taken.",
        "other": "Failed. No money was taken.",
    },
    "zh": {
        "title": "缴费",
        "shop": "商户号",
        "named": "账号",
        "amount": "金额",
        "on": "继续",
        "send": "发送",
        "to": "付款给",
        "for": "账号",
        "pin": "请输入 M-PESA 密码确认",
        "paid": "已确认，已付款。",
        "again": "再付一笔",
        "C2B00012": "失败：账号有误，没有扣款。",
        "C2B00013": "失败：不接受该金额，没有扣款。",
        "other": "失败，没有扣款。",
    },
}


async def at_the_telephone(
    world: World, *, method: str, path: str, body: bytes, language: str
) -> Said | None:
    """A page of the menu; None for any other address. The shop is asked beside everything else."""
    if path.rstrip("/") != ADDRESS:
        return None
    words = _WORDS["zh" if language.startswith("zh") else "en"]
    form = {name: said[0].strip() for name, said in parse_qs(body.decode("utf-8", "replace")).items()}
    if method != "POST":
        return _page(_asks(words, form), 200, language)
    paybills = world.mpesa.paybills
    try:
        amount_minor = minor_from_text(form.get("amount", ""), digits=2)
        typed = paybills.typed(
            shop=form.get("shop", ""), named=form.get("named", ""), amount_minor=amount_minor
        )
        if "pin" not in form:
            return _page(_confirms(words, form, typed.shop.name), 200, language)
        check = paybills.check(typed)
        paid = paybills.take(typed, None if check is None else await asyncio.to_thread(world.asks, check))
    except (PayError, ValueError) as wrong:
        said = words.get(wrong.code if isinstance(wrong, PayError) else "C2B00013", words["other"])
        return _page(f"<p role=alert>{said}</p>{_asks(words, form)}", 409, language)
    sum_ = escape(text_from_minor(paid.settled_minor, digits=2))
    done = (
        f"<p class=done aria-hidden=true>✓</p><p role=status><b>{escape(paid.number)}</b> {words['paid']}</p>"
    )
    done += f'<p class=sum>KSh {sum_}</p><a class=button href="{ADDRESS}">{words["again"]}</a>'
    return _page(done, 200, language)


def _page(middle: str, status: int, language: str) -> Said:
    return Said(status, framed("mpesa", middle, language=language), _HTML)


def _asks(words: dict[str, str], form: dict[str, str]) -> str:
    fields = "".join(
        f"<label for={name}>{words[name]}</label>"
        f'<input id={name} name={name} inputmode={mode} autocomplete=off required value="{escape(form.get(name, ""))}">'
        for name, mode in (("shop", "numeric"), ("named", "text"), ("amount", "decimal"))
    )
    return f"<h1>{words['title']}</h1><form method=post>{fields}<button>{words['on']}</button></form>"


def _confirms(words: dict[str, str], form: dict[str, str], name: str) -> str:
    hidden = "".join(
        f'<input type=hidden name={one} value="{escape(form[one])}">' for one in ("shop", "named", "amount")
    )
    rows = f"<div><dt>{words['to']}</dt><dd>{escape(name or form['shop'])}</dd></div>"
    rows += f"<div><dt>{words['for']}</dt><dd>{escape(form['named'])}</dd></div>"
    return (
        f"<p class=sum>KSh {escape(form['amount'])}</p><dl>{rows}</dl><form method=post>{hidden}"
        f"<label for=pin>{words['pin']}</label><input id=pin name=pin inputmode=numeric maxlength=4 "
        f'value="••••"><button>{words["send"]}</button></form>'
    )
