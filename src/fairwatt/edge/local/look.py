"""How the local page looks: one document, one style sheet inside it, the colours of web/static/css/tokens.css."""

from base64 import b64encode
from hashlib import sha256
from html import escape
from typing import Final, NamedTuple

from fairwatt.edge.local.answers import Answer, clock_time, sentence
from fairwatt.edge.local.homes import HomeState
from fairwatt.wire.records import Relay

STYLE: Final = """
:root{color-scheme:light dark;--paper:#faf8f4;--card:#fff;--ink:#14201c;--ink-2:#54615b;--line:#e7e3da;--field:#8a928c;
--volt:#0b6e4f;--volt-2:#ddefe7;--on-volt:#fff;--cut:#a61b1b;--cut-2:#fbe3e1;--sun-2:#fff3d1;--sun-ink:#6f4b00;
--shade:0 1px 2px rgb(40 34 20/5%),0 6px 20px rgb(40 34 20/5%);
--font:"Source Sans 3","Noto Sans",system-ui,-apple-system,"Segoe UI","PingFang SC","Noto Sans SC","Noto Sans CJK SC",
"Microsoft YaHei",sans-serif}
@media(prefers-color-scheme:dark){:root{--paper:#111613;--card:#1a211d;--ink:#eef3ef;--ink-2:#abb7b0;--line:#2d3630;
--field:#7f8c85;--volt:#57cb9f;--volt-2:#173a2d;--on-volt:#06130d;--cut:#ff9b93;--cut-2:#472321;--sun-2:#3a2f12;
--sun-ink:#ffdc8a;--shade:none}}
@media(prefers-contrast:more){:root{--ink-2:var(--ink);--line:var(--ink-2);--field:var(--ink)}}
*,*::before,*::after{box-sizing:border-box}
html{-webkit-text-size-adjust:100%}
body{margin:0;background:var(--paper);color:var(--ink);font:400 1rem/1.5 var(--font);font-variant-numeric:tabular-nums;
overflow-wrap:anywhere}
h1,h2,p,dl,dd{margin:0}
h1{font-size:1.75rem;line-height:1.2;letter-spacing:-.01em}
h2{font-size:1.125rem;line-height:1.3;font-weight:650}
:focus-visible{outline:3px solid var(--volt);outline-offset:2px;border-radius:6px}
.top{display:flex;align-items:center;justify-content:space-between;gap:16px;max-inline-size:960px;margin-inline:auto;
padding:18px 20px 6px}
.brand{font-weight:700;font-size:1.25rem;letter-spacing:-.01em}
.brand b{color:var(--volt)}
.lang{color:var(--ink-2);min-block-size:44px;display:inline-flex;align-items:center;padding-inline:8px;
text-underline-offset:3px}
main{max-inline-size:960px;margin-inline:auto;padding:8px 20px 32px;display:grid;gap:16px}
.two{display:grid;gap:16px}
@media(min-width:760px){.two{grid-template-columns:1fr 1fr;align-items:start}}
.card{background:var(--card);border:1px solid var(--line);border-radius:18px;box-shadow:var(--shade);padding:20px;
display:grid;gap:12px}
.fine,.lead{color:var(--ink-2)}
.fine{font-size:.875rem}
form{display:grid;gap:14px}
label{display:grid;gap:4px;font-weight:600;font-size:.9375rem}
input{font:400 1rem/1.5 var(--font);color:inherit;inline-size:100%;min-block-size:48px;padding:10px 14px;
background:var(--card);border:1px solid var(--field);border-radius:12px}
input.code{font-size:1.25rem;letter-spacing:.03em}
button{font:inherit;min-block-size:48px;padding:10px 22px;border-radius:14px;border:1px solid transparent;
font-weight:600;cursor:pointer;background:var(--volt);color:var(--on-volt)}
button.second{background:transparent;color:var(--volt);border-color:var(--volt)}
.said{border-radius:18px;padding:16px 20px;font-weight:600;display:flex;gap:12px;align-items:baseline}
.said.good{background:var(--volt-2);color:var(--volt)}
.said.bad{background:var(--cut-2);color:var(--cut)}
.said.wait{background:var(--sun-2);color:var(--sun-ink)}
.said:focus{outline:none}
.big{font-size:2.25rem;line-height:1.1;font-weight:700;letter-spacing:-.02em}
.on{color:var(--volt)}.off{color:var(--cut)}
dl{display:grid;grid-template-columns:repeat(auto-fit,minmax(130px,1fr));gap:12px}
dt{color:var(--ink-2);font-size:.875rem}
dd{font-weight:650}
@media(forced-colors:active){.card,.said{border:1px solid CanvasText}}
"""
CSP: Final = (
    "default-src 'none'; style-src 'sha256-"
    + b64encode(sha256(STYLE.encode()).digest()).decode()
    + "'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)

WORDS: Final = {
    "en": {
        "title": "Your supply, at the meter",
        "lead": "This page works without the internet.",
        "enter": "Type a code",
        "enter_hint": "A restore code has 16 digits, a top-up token 20. Blanks do not matter.",
        "home": "Home or meter number",
        "home_hint": "for example 4-201",
        "code": "Code",
        "send": "Use the code",
        "look": "See my home",
        "look_hint": "Shown only with your PIN. The office has it for you.",
        "pin": "PIN",
        "show": "Show",
        "balance": "Left here",
        "unknown": "not known here",
        "supply": "Supply",
        "on": "on",
        "off": "off",
        "relay_unknown": "not known",
        "register": "Meter shows",
        "as_of": "Read",
        "restored": "An emergency code keeps the supply on until {until}. Use is counted and will be charged.",
        "provisional": "What this gateway counted by itself. The bill in the app is the one that counts.",
        "not_found": "There is no such page here. Supply is as it was. Type your code below.",
        "not_meant": "This form was not sent from this page, or cookies are off. Nothing was done. Type it again here.",
        "other": "中文",
        "other_lang": "zh",
    },
    "zh": {
        "title": "电表旁的供电服务",
        "lead": "本页无需互联网即可使用。",
        "enter": "输入应急码或充值码",
        "enter_hint": "应急码共 16 位，充值码共 20 位，空格可有可无。",
        "home": "门牌号或表号",
        "home_hint": "例如 4-201",
        "code": "代码",
        "send": "使用此码",
        "look": "查看我家",
        "look_hint": "凭密码显示。密码请向物业索取。",
        "pin": "密码",
        "show": "查看",
        "balance": "本地余额",
        "unknown": "此处未知",
        "supply": "供电",
        "on": "已接通",
        "off": "已断开",
        "relay_unknown": "未知",
        "register": "表计读数",
        "as_of": "读取时间",
        "restored": "应急码维持供电至 {until}。用电照常计量并计费。",
        "provisional": "此为本网关自行计量的数值，以应用中的账单为准。",
        "not_found": "此处没有该页面。供电状态不变。请在下方输入代码。",
        "not_meant": "该表单不是从本页提交，或浏览器禁用了 Cookie。未做任何操作，请在此重新输入。",
        "other": "English",
        "other_lang": "en",
    },
}


class Shown(NamedTuple):
    """What the page shows besides its forms. ``pin``: the answer belongs to the second form."""

    language: str
    home: str = ""
    code: str = ""
    """what was typed and not taken, to be compared and mended"""
    answer: Answer | None = None
    state: HomeState | None = None
    problem: str = ""
    pin: bool = False


def page(shown: Shown, /, *, token: str, zone: str, currency: str, now_us: int) -> str:
    """The document."""
    w = WORDS[shown.language]
    said = _said(shown, zone=zone)
    state = (
        "" if shown.state is None else _state(shown, shown.state, zone=zone, currency=currency, now_us=now_us)
    )
    hidden = (
        f'<input type="hidden" name="token" value="{escape(token)}">'
        f'<input type="hidden" name="lang" value="{shown.language}">'
    )
    home = (
        f'<label>{w["home"]}<input name="home" required maxlength="60" autocomplete="off" '
        f'placeholder="{w["home_hint"]}" value="{escape(shown.home)}"></label>'
    )
    language = "zh-Hans" if shown.language == "zh" else "en"
    return f"""<!doctype html>
<html lang="{language}"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<title>{w["title"]} · Fairwatt</title><style>{STYLE}</style></head><body>
<header class="top"><span class="brand">fair<b>watt</b></span>
<a class="lang" href="/?lang={w["other_lang"]}" hreflang="{w["other_lang"]}" lang="{w["other_lang"]}">{w["other"]}</a>
</header>
<main><h1>{w["title"]}</h1><p class="lead">{w["lead"]}</p>{said}{state}
<div class="two">
<section class="card" aria-labelledby="enter"><h2 id="enter">{w["enter"]}</h2>
<form method="post" action="/code">{hidden}{home}
<label>{w["code"]}<input class="code" name="code" required maxlength="60" inputmode="numeric" autocomplete="off"
 placeholder="0000 0000 0000 0000" value="{escape(shown.code)}" aria-describedby="enter-hint"></label>
<p class="fine" id="enter-hint">{w["enter_hint"]}</p><button>{w["send"]}</button></form></section>
<section class="card" aria-labelledby="look"><h2 id="look">{w["look"]}</h2>
<form method="post" action="/home">{hidden}{home}
<label>{w["pin"]}<input name="pin" type="password" required maxlength="40" inputmode="numeric" autocomplete="off"
 aria-describedby="look-hint"></label>
<p class="fine" id="look-hint">{w["look_hint"]}</p><button class="second">{w["show"]}</button></form></section>
</div></main></body></html>
"""


def _said(shown: Shown, *, zone: str) -> str:
    if shown.problem:
        return f'<p class="said bad" role="alert">{escape(WORDS[shown.language][shown.problem])}</p>'
    if shown.answer is None:
        return ""
    words = sentence(shown.answer, language=shown.language, zone=zone)
    look = (
        "good" if shown.answer.accepted else "wait" if shown.answer.outcome in ("locked", "busy") else "bad"
    )
    return f'<p class="said {look}" role="alert">{escape(words)}</p>'


def _state(shown: Shown, state: HomeState, *, zone: str, currency: str, now_us: int) -> str:
    w, language = WORDS[shown.language], shown.language
    relay = {Relay.CLOSED: ("on", w["on"]), Relay.OPEN: ("off", w["off"])}.get(
        Relay(state.relay), ("", w["relay_unknown"])
    )
    left = w["unknown"] if state.available_micro is None else money(state.available_micro, currency=currency)
    register = w["unknown"] if state.register_wh is None else kwh(state.register_wh)
    as_of = clock_time(state.at_us, language=language, zone=zone) if state.at_us else w["unknown"]
    restored = ""
    if now_us < state.restored_until_us:
        until = clock_time(state.restored_until_us, language=language, zone=zone)
        restored = f'<p class="said wait">{escape(w["restored"].format(until=until))}</p>'
    return f"""<section class="card" aria-label="{escape(state.home)}"><h2>{escape(state.home)}</h2>
<p class="fine">{w["balance"]}</p><p class="big">{escape(left)}</p>{restored}
<dl><div><dt>{w["supply"]}</dt><dd class="{relay[0]}">{relay[1]}</dd></div>
<div><dt>{w["register"]}</dt><dd>{register}</dd></div>
<div><dt>{w["as_of"]}</dt><dd>{as_of}</dd></div></dl><p class="fine">{w["provisional"]}</p></section>"""


def kwh(register_wh: int, /) -> str:
    """A register as the meter shows it."""
    return f"{register_wh // 1000}.{register_wh % 1000:03d} kWh"


def money(micro: int, /, *, currency: str) -> str:
    """An amount to the hundredth, toward less: nobody is promised what is not there."""
    hundredths = micro // 10_000
    sign, hundredths = ("\u2212" if hundredths < 0 else ""), abs(hundredths)
    symbol = {"CNY": "¥", "EUR": "€", "GBP": "£", "USD": "$"}.get(
        currency, f"{currency} " if currency else ""
    )
    return f"{sign}{symbol}{hundredths // 100:,}.{hundredths % 100:02d}"
