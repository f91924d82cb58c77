"""The words that each step knows, what it says where an organisation has no wording of its own, and samples."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from fairwatt.core.notices.icu import BadWording, Value, check, fill
from fairwatt.core.notices.model import SHORT, Channel, Step
from fairwatt.core.notices.segments import Segments, segments

LANGUAGES: Final = ("en", "zh-hans")
_HOME: Final = frozenset({"home", "organisation", "balance", "link"})
WORDS: Final[Mapping[Step, frozenset[str]]] = {
    Step.DAYS: _HOME | {"days"},
    Step.DAY: _HOME | {"time"},
    Step.LOW: _HOME,
    Step.CRITICAL: _HOME,
    Step.EMERGENCY: _HOME | {"amount"},
    Step.HOURS: _HOME | {"hours", "time"},
    Step.EMPTY: _HOME | {"amount"},
    Step.CUT: _HOME | {"amount"},
    Step.RESTORED: _HOME,
    Step.AUTO: _HOME | {"amount"},
    Step.AUTO_FAILED: _HOME | {"because"},
    Step.AUTO_ENDED: _HOME | {"because"},
    Step.CONTRACT: _HOME | {"date"},
    Step.ENDED: _HOME | {"date"},
    Step.BALANCE: _HOME | {"date"},
    Step.CODE: frozenset({"code", "organisation"}),
    Step.CONTACT: frozenset({"address", "organisation"}),
    Step.TRY: frozenset({"organisation"}),
    Step.DIGEST: frozenset({"organisation", "count", "list"}),
    Step.ALARM: frozenset({"what", "home", "organisation", "link"}),
    Step.CALL: frozenset({"home", "organisation", "because", "link"}),
}


@dataclass(frozen=True, slots=True)
class Wording:
    """A message in one language: a subject and a body for letters, and a short form for phones."""

    subject: str
    body: str
    short: str


@dataclass(frozen=True, slots=True)
class Said:
    """A message with everything filled in."""

    subject: str
    body: str
    segments: Segments | None


def check_wording(*, step: Step, wording: Wording) -> None:
    """Refuse a wording that names what its message does not know, or says nothing. Raises BadWording."""
    for text in (wording.subject, wording.body, wording.short):
        if not text.strip():
            raise BadWording("A subject, a body and a short form are wanted; one of them is empty.")
        check(text, known=WORDS[step])


def say(
    *, wording: Wording, step: Step, values: Mapping[str, Value], language: str, channel: Channel
) -> Said:
    """Fill a wording in for a channel. Raises BadWording when a value is missing."""
    known = {name: value for name, value in values.items() if name in WORDS[step]}
    subject = fill(wording.subject, values=known, language=language)
    body = fill(wording.short if channel in SHORT else wording.body, values=known, language=language)
    return Said(subject, body, segments(body) if channel is Channel.SMS else None)


def language_of(*, wanted: str, currency: str) -> str:
    """The language somebody is written to in: the chosen one, or the one of where he lives."""
    if wanted in LANGUAGES:
        return wanted
    return "zh-hans" if currency == "CNY" else "en"


SAMPLE: Final[Mapping[str, Mapping[str, Value]]] = {
    "en": {
        "home": "Maple Court 3-1-502",
        "organisation": "Maple Property",
        "balance": "¥12.40",
        "amount": "¥3.85",
        "days": 3,
        "hours": 2,
        "time": "18:30",
        "date": "21 November 18:40",
        "link": "https://pay.example/n/7f3a9c0e1b2d4f68/",
        "code": "482 913",
        "address": "138****0001",
        "count": 2,
        "list": "– Maple Court 3-1-502: ¥12.40 left\n– Maple Court 3-1-503: ¥9.10 left",
        "what": "cover opened",
        "because": "no message arrived",
    },
    "zh-hans": {
        "home": "枫林苑 3-1-502",
        "organisation": "枫林物业",
        "balance": "¥12.40",
        "amount": "¥3.85",
        "days": 3,
        "hours": 2,
        "time": "18:30",
        "date": "11月21日 18:40",
        "link": "https://pay.example/n/7f3a9c0e1b2d4f68/",
        "code": "482 913",
        "address": "138****0001",
        "count": 2,
        "list": "· 枫林苑 3-1-502：剩余 ¥12.40\n· 枫林苑 3-1-503：剩余 ¥9.10",
        "what": "表盖被打开",
        "because": "没有一条通知送达",
    },
}

_TOP_UP: Final = "Top up here: {link}\n\n{organisation}"
_TOP_UP_ZH: Final = "充值请点击：{link}\n\n{organisation}"
DEFAULTS: Final[Mapping[str, Mapping[Step, Wording]]] = {
    "en": {
        Step.DAYS: Wording(
            "Credit for about {days, plural, one {# day} other {# days}}",
            "{home} has {balance} left. At your usual pace that lasts about {days, plural, one {# day} other {# days}}.\n\n"
            "Nothing is switched off yet. " + _TOP_UP,
            "{home}: {balance} left, about {days, plural, one {# day} other {# days}}. Top up: {link}",
        ),
        Step.DAY: Wording(
            "Credit until about {time} tomorrow",
            "{home} has {balance} left. At your usual pace it is used up within a day, at about {time}.\n\n"
            + _TOP_UP,
            "{home}: {balance} left, used up within a day (about {time}). Top up: {link}",
        ),
        Step.LOW: Wording(
            "Credit is low: {balance}",
            "{home} has {balance} left. Nothing is switched off yet. " + _TOP_UP,
            "{home}: credit is low, {balance} left. Top up: {link}",
        ),
        Step.CRITICAL: Wording(
            "Credit is almost gone: {balance}",
            "{home} has {balance} left. When it is used up, supply is switched off by the rules of your home.\n\n"
            + _TOP_UP,
            "{home}: credit almost gone, {balance} left. Top up to keep supply: {link}",
        ),
        Step.EMERGENCY: Wording(
            "Emergency credit of {amount} is on",
            "Emergency credit of {amount} was lent to {home}. It is repaid first, out of your next top-up.\n\n"
            + _TOP_UP,
            "{home}: emergency credit of {amount} is on, repaid first by your next top-up: {link}",
        ),
        Step.HOURS: Wording(
            "Credit for about {hours, plural, one {# hour} other {# hours}}",
            "{home} has {balance} left: about {hours, plural, one {# hour} other {# hours}}, until {time}. Then supply may be "
            "switched off.\n\n" + _TOP_UP,
            "{home}: {balance} left, about {hours, plural, one {# hour} other {# hours}} (until {time}). Top up: {link}",
        ),
        Step.EMPTY: Wording(
            "Credit is used up",
            "The credit of {home} is used up ({balance}). Supply will be switched off by the rules of your home. Pay at least "
            "{amount} to keep it.\n\n" + _TOP_UP,
            "{home}: credit used up ({balance}). Supply will be switched off; pay at least {amount}: {link}",
        ),
        Step.CUT: Wording(
            "Supply is being switched off",
            "Supply of {home} is being switched off: its credit is used up ({balance}). Pay at least {amount} and it comes back "
            "by itself, usually within minutes; at the window if you have no phone. Switch off irons and stoves before.\n\n"
            + _TOP_UP,
            "{home}: supply is switched off ({balance}). Pay at least {amount}, it returns by itself: {link}",
        ),
        Step.RESTORED: Wording(
            "Supply is back",
            "Supply of {home} is back; the meter shows it. {balance} are left.\n\n{organisation}",
            "{home}: supply is back. {balance} left.",
        ),
        Step.AUTO: Wording(
            "An automatic top-up of {amount}",
            "{home} has {balance} left, less than the level you chose: {amount} are being taken from the card you saved, as you "
            "agreed. Switch it off at any time: {link}\n\n{organisation}",
            "{home}: {balance} left. {amount} are being taken from your saved card, as you agreed. Switch off: {link}",
        ),
        Step.AUTO_FAILED: Wording(
            "No automatic top-up: {because}",
            "{home} has {balance} left, and no automatic top-up came about: {because}. Nothing was taken. Top up by hand so that "
            "supply stays on: {link}\n\n{organisation}",
            "{home}: no automatic top-up, {because}. {balance} left. Top up by hand: {link}",
        ),
        Step.AUTO_ENDED: Wording(
            "Automatic top-up is off",
            "Automatic top-up for {home} is switched off: {because}. Nothing more is taken. {balance} are left; top up by hand, or "
            "agree again: {link}\n\n{organisation}",
            "{home}: automatic top-up is off, {because}. {balance} left. Top up by hand: {link}",
        ),
        Step.CONTRACT: Wording(
            "Your contract ends on {date}",
            "The contract for {home} ends on {date}. Supply is switched off then, outside of your trading hours, and what is left "
            "of your credit goes back to you. To stay longer, agree on it with {organisation} before. {link}",
            "{home}: the contract ends on {date}, then supply is switched off. To stay longer, talk to {organisation}.",
        ),
        Step.ENDED: Wording(
            "The contract has ended, supply is being switched off",
            "The contract for {home} ended on {date}, and supply is being switched off. {balance} are left; what remains when the "
            "account is closed goes back to you.\n\n{organisation}",
            "{home}: the contract ended, supply is switched off. {balance} left, the rest goes back to you.",
        ),
        Step.BALANCE: Wording(
            "Your balance",
            "{home}: {balance} on {date}.\n\n{organisation}",
            "{home}: {balance} on {date}.",
        ),
        Step.CODE: Wording(
            "Your code is {code}",
            "Your code is {code}. It shows {organisation} that messages reach you here. Tell it to nobody.",
            "{code} is your code for {organisation}. Tell it to nobody.",
        ),
        Step.CONTACT: Wording(
            "Messages also go to {address} now",
            "Messages about your home also go to {address} now. Was that not you? Tell {organisation} at once.",
            "Messages about your home also go to {address} now. Not you? Tell {organisation} at once.",
        ),
        Step.TRY: Wording(
            "A message to try the line",
            "This is a message to try the line of {organisation}. Nothing has to be done.",
            "{organisation}: a message to try the line. Nothing has to be done.",
        ),
        Step.DIGEST: Wording(
            "{count, plural, one {One thing} other {# things}} about your homes",
            "{list}\n\n{organisation}",
            "{list}",
        ),
        Step.ALARM: Wording(
            "Alarm: {what}",
            "{home}: {what}. Look at it: {link}\n\n{organisation}",
            "{home}: {what}. {link}",
        ),
        Step.CALL: Wording(
            "Please call {home}",
            "{home} could not be reached ({because}) and its credit runs out or is gone. Please call or hang up a notice: {link}",
            "Please call {home}: {because}. {link}",
        ),
    },
    "zh-hans": {
        Step.DAYS: Wording(
            "余额约可用 {days} 天",
            "{home} 剩余 {balance}，按您平时的用量约可用 {days} 天。\n\n目前不会断供。" + _TOP_UP_ZH,
            "{home}剩余{balance}，约可用{days}天。充值：{link}",
        ),
        Step.DAY: Wording(
            "余额约在一天内用完（{time}）",
            "{home} 剩余 {balance}，按您平时的用量将在一天内用完，约在 {time}。\n\n" + _TOP_UP_ZH,
            "{home}剩余{balance}，约{time}用完。充值：{link}",
        ),
        Step.LOW: Wording(
            "余额不足：{balance}",
            "{home} 剩余 {balance}，目前不会断供。" + _TOP_UP_ZH,
            "{home}余额不足，剩余{balance}。充值：{link}",
        ),
        Step.CRITICAL: Wording(
            "余额即将用完：{balance}",
            "{home} 剩余 {balance}。用完后将按规则断供。\n\n" + _TOP_UP_ZH,
            "{home}余额即将用完，剩余{balance}，请及时充值：{link}",
        ),
        Step.EMERGENCY: Wording(
            "已启用应急额度 {amount}",
            "已为 {home} 启用应急额度 {amount}，下次充值时优先归还。\n\n" + _TOP_UP_ZH,
            "{home}已启用应急额度{amount}，下次充值优先归还：{link}",
        ),
        Step.HOURS: Wording(
            "余额约可用 {hours} 小时",
            "{home} 剩余 {balance}，约可用 {hours} 小时，到 {time}。之后可能断供。\n\n" + _TOP_UP_ZH,
            "{home}剩余{balance}，约可用{hours}小时（到{time}）。充值：{link}",
        ),
        Step.EMPTY: Wording(
            "余额已用完",
            "{home} 余额已用完（{balance}），将按规则断供。至少支付 {amount} 可避免断供。\n\n" + _TOP_UP_ZH,
            "{home}余额已用完（{balance}），即将断供，至少支付{amount}：{link}",
        ),
        Step.CUT: Wording(
            "正在断供",
            "{home} 余额已用完（{balance}），正在断供。至少支付 {amount} 后会自动恢复，一般几分钟内；没有手机请到窗口缴费。"
            "恢复前请关闭熨斗、炉灶等电器。\n\n" + _TOP_UP_ZH,
            "{home}已断供（{balance}）。至少支付{amount}后自动恢复：{link}",
        ),
        Step.RESTORED: Wording(
            "已恢复供应",
            "{home} 已恢复供应，表计已确认。剩余 {balance}。\n\n{organisation}",
            "{home}已恢复供应，剩余{balance}。",
        ),
        Step.AUTO: Wording(
            "正在自动充值 {amount}",
            "{home} 剩余 {balance}，低于您设定的水平，正按您的约定从已保存的卡中扣款 {amount}。可随时关闭：{link}\n\n{organisation}",
            "{home}剩余{balance}，正按约定从已保存的卡扣款{amount}。随时可关闭：{link}",
        ),
        Step.AUTO_FAILED: Wording(
            "自动充值未成功：{because}",
            "{home} 剩余 {balance}，自动充值未成功：{because}。没有扣款。请手动充值以免断供：{link}\n\n{organisation}",
            "{home}自动充值未成功：{because}。剩余{balance}，请手动充值：{link}",
        ),
        Step.AUTO_ENDED: Wording(
            "自动充值已关闭",
            "{home} 的自动充值已关闭：{because}。不会再扣款。剩余 {balance}，请手动充值或重新开通：{link}\n\n{organisation}",
            "{home}自动充值已关闭：{because}。剩余{balance}，请手动充值：{link}",
        ),
        Step.CONTRACT: Wording(
            "您的合同将于 {date} 到期",
            "{home} 的合同将于 {date} 到期。届时将在营业时间之外断供，剩余余额会退还给您。如需续租，请提前与{organisation}商定。{link}",
            "{home}合同将于{date}到期，届时断供。续租请联系{organisation}。",
        ),
        Step.ENDED: Wording(
            "合同已到期，正在断供",
            "{home} 的合同已于 {date} 到期，正在断供。余额 {balance}，账户结清后的剩余款项会退还给您。\n\n{organisation}",
            "{home}合同到期，已断供。余额{balance}，结清后退还。",
        ),
        Step.BALANCE: Wording(
            "您的余额", "{home}：{date} 余额 {balance}。\n\n{organisation}", "{home}：{date}余额{balance}。"
        ),
        Step.CODE: Wording(
            "您的验证码是 {code}",
            "您的验证码是 {code}，用于确认您能在此收到 {organisation} 的通知。请勿告诉他人。",
            "{code}是您在{organisation}的验证码，请勿告诉他人。",
        ),
        Step.CONTACT: Wording(
            "通知现在也会发送到 {address}",
            "关于您家的通知现在也会发送到 {address}。如非本人操作，请立即告知{organisation}。",
            "您家的通知现在也会发到{address}。如非本人操作，请立即告知{organisation}。",
        ),
        Step.TRY: Wording(
            "测试通知", "这是{organisation}的一条测试通知，无需处理。", "{organisation}：测试通知，无需处理。"
        ),
        Step.DIGEST: Wording("关于您家的 {count} 件事", "{list}\n\n{organisation}", "{list}"),
        Step.ALARM: Wording(
            "报警：{what}", "{home}：{what}。查看：{link}\n\n{organisation}", "{home}：{what}。{link}"
        ),
        Step.CALL: Wording(
            "请联系 {home}",
            "{home} 无法联系到（{because}），其余额即将或已经用完。请致电或张贴通知：{link}",
            "请联系{home}：{because}。{link}",
        ),
    },
}
