"""What a person is told who typed a code or asked at the gateway: one word, what goes with it, and sentences."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from fairwatt.core.commands.carried_payment import TYPED_WITHIN_DAYS as TOKEN_DAYS
from fairwatt.core.commands.carried_payment import Outcome as Token
from fairwatt.core.commands.restore_code import DIGITS, TYPED_WITHIN_DAYS, Outcome
from fairwatt.core.tokens.code import DIGITS as TOKEN_DIGITS

LANGUAGES: Final = ("en", "zh")


class Answer(NamedTuple):
    """``outcome`` is a key of `WORDS`; instants and seconds are 0 where they mean nothing."""

    outcome: str
    until_us: int = 0
    wait_s: int = 0
    hours: int = 0
    amount: str = ""
    """money as it is written there"""

    @property
    def accepted(self) -> bool:
        """True when a code did what it is for: supply is on or comes on, or a payment counts here."""
        return self.outcome in (Outcome.ACCEPTED, "accepted_waits") or self.outcome.startswith(Token.ACCEPTED)


# What happened; what it means for supply; the next step.
WORDS: Final[Mapping[str, Mapping[str, str]]] = {
    "en": {
        Outcome.ACCEPTED: "Accepted. Power is on until {until}. What you use is counted and will be charged. "
        "Top up before then.",
        "accepted_waits": "Accepted. The meter does not answer just now; power comes on as soon as it does, until "
        "{until} at most. What you use is counted.",
        Outcome.MISTYPED: f"A digit is wrong, missing or swapped: a code has {DIGITS} digits. Nothing was used up. "
        "Compare and type it again.",
        Outcome.WRONG: "This is not a code for this meter. Supply is as it was. Check the meter, or ask the office "
        "for a code.",
        Outcome.OTHER_METER: "This code is for another meter of this building. It is not used up. Choose the right "
        "home and type it again.",
        Outcome.USED: "This code was used already. Supply is as it was. Ask the office for a new one.",
        Outcome.OLD: "A newer code was used at this meter, so this one is void. Supply is as it was. Use the newest "
        "code.",
        Outcome.EXPIRED: f"This code was not typed within {TYPED_WITHIN_DAYS} days, so it is void. Supply is as it "
        "was. Ask the office for a new one.",
        Outcome.NOT_YET: "This code is from a later day than this gateway's clock shows. It is not used up. Tell the "
        "office that the clock is wrong.",
        "locked": "Too many wrong codes. Supply is as it was. Wait {wait} and try again.",
        "busy": "Too many tries from here. Nothing was used up. Wait {wait} and try again.",
        "no_key": "This gateway was commissioned without a key for codes. Supply is as it was. Call the office.",
        Token.ACCEPTED: "{amount} was added here. Power is on. What you use is counted and charged as always.",
        "token_accepted_waits": "{amount} was added here. Power is still off: it comes on by itself as soon as the "
        "meter answers or the office orders it.",
        "token_accepted_short": "{amount} was added here, but the home used more than that, so power stays off. Top "
        "up again; both count.",
        "token_accepted_unsafe": "{amount} was added here. Power stays off: a safety alarm is open at this meter. "
        "Call the electrician.",
        Token.MISTYPED: f"A digit is wrong or missing: no token has these {TOKEN_DIGITS} digits. Nothing was used up. "
        "Compare and type it again.",
        Token.WRONG: "This token does not fit this meter: a digit is wrong, it is for another building, or this "
        "gateway has a new key since. Nothing was used up. Compare the digits; if they are right, ask the office for "
        "a new token.",
        Token.OTHER_METER: "This token is for another meter of this building. It is not used up. Choose the right "
        "home and type it again.",
        Token.OTHER_KIND: "This token carries no payment. Nothing was changed. Ask the office for a token of your "
        "payment.",
        Token.USED: "This token was used here already, and its payment counts. Supply is as it was. Type another one.",
        Token.OLD: "This token is older than all that this meter remembers, so it cannot know whether it was used. "
        "Supply is as it was. Ask the office for a new one.",
        Token.EXPIRED: f"This token's payment is more than {TOKEN_DAYS} days old, so it is void; the payment counts in "
        "your account all the same. Supply is as it was. Ask the office.",
        Token.NOT_YET: "This token is from a later day than this gateway's clock shows. It is not used up. Tell the "
        "office that the clock is wrong.",
        "token_in_balance": "This payment is in the balance already: the gateway was told of it. Nothing was used up. "
        "If power is off, top up.",
        "token_no_grant": "This gateway holds no account for this meter. The token is not used up and the payment is "
        "safe in the account. Call the office.",
        "token_in_doubt": "This gateway's memory was put back to an older copy, so it cannot know whether this token "
        "was used. Supply is as it was and the payment is safe. Ask the office for a restore code.",
        "token_memory_lost": "This gateway cannot read which tokens it took, so it takes none for this meter. The "
        "payment is safe in the account. Ask the office for a restore code.",
        "unknown_code": f"This is no code: a restore code has {DIGITS} digits, a top-up token has {TOKEN_DIGITS}. "
        "Nothing was used up. Compare and type it again.",
        "unknown_meter": "There is no such home or meter here. Nothing was used up. Check the number on the door or "
        "the meter.",
        "unsafe": "Power stays off: a safety alarm is open at this meter. The code is not used up. Call the "
        "electrician.",
        "wrong_pin": "Home and PIN do not belong together. Check both, or ask the office for a new PIN.",
        "permit_used": "This permit restored this meter before. Supply is as it was. Use another permit.",
        "in_doubt": "This gateway's memory was put back to an older copy, so it cannot know whether a code of that day "
        "or before was used. Supply is as it was. Ask the office to switch the supply on, or for a code tomorrow.",
        "permit_in_doubt": "This gateway's memory was put back to an older copy, so it cannot know whether a permit "
        "from before was used here. Supply is as it was. Ask for a new permit.",
        "hours_refused": "The permit does not allow so many hours. Supply is as it was. Ask for fewer.",
    },
    "zh": {
        Outcome.ACCEPTED: "已接受。供电至 {until}。用电照常计量并计费，请在此之前充值。",
        "accepted_waits": "已接受。电表暂时没有应答；一有应答即恢复供电，最迟到 {until}。用电照常计量。",
        Outcome.MISTYPED: f"有一位数字错误、缺失或颠倒：应急码共 {DIGITS} 位。此码未被消耗，请核对后重新输入。",
        Outcome.WRONG: "这不是本电表的应急码。供电状态不变。请核对电表，或向物业索取应急码。",
        Outcome.OTHER_METER: "这是本楼另一只电表的应急码，未被消耗。请选择正确的住户后重新输入。",
        Outcome.USED: "此码已经用过。供电状态不变。请向物业索取新的应急码。",
        Outcome.OLD: "本电表已用过更新的应急码，此码作废。供电状态不变。请使用最新的应急码。",
        Outcome.EXPIRED: f"此码未在 {TYPED_WITHIN_DAYS} 天内输入，已作废。供电状态不变。请向物业索取新的应急码。",
        Outcome.NOT_YET: "此码的日期晚于本网关的时钟，未被消耗。请告知物业：时钟不准。",
        "locked": "错误次数过多。供电状态不变。请等待{wait}后再试。",
        "busy": "此处尝试次数过多，没有消耗任何应急码。请等待{wait}后再试。",
        "no_key": "本网关尚未配置应急码密钥。供电状态不变。请联系物业。",
        Token.ACCEPTED: "已在此计入 {amount}。供电已接通。用电照常计量并计费。",
        "token_accepted_waits": "已在此计入 {amount}。供电尚未接通：电表一有应答或物业下达指令即自动接通。",
        "token_accepted_short": "已在此计入 {amount}，但已用电费超过此数，供电仍断开。请再次充值，两笔都会计入。",
        "token_accepted_unsafe": "已在此计入 {amount}。供电保持断开：本电表有未解除的安全告警。请联系电工。",
        Token.MISTYPED: f"有数字错误或缺失：没有任何充值码是这 {TOKEN_DIGITS} 位数字。没有消耗任何代码，"
        "请核对后重新输入。",
        Token.WRONG: "此充值码与本电表不符：有数字错误、属于别处的电表，或本网关此后更换过密钥。没有消耗任何代码。"
        "请核对数字；如无误，请向物业索取新的充值码。",
        Token.OTHER_METER: "这是本楼另一只电表的充值码，未被消耗。请选择正确的住户后重新输入。",
        Token.OTHER_KIND: "此代码不含付款。没有任何改动。请向物业索取您这笔付款的充值码。",
        Token.USED: "此充值码已在此用过，款项已计入。供电状态不变。请输入其他充值码。",
        Token.OLD: "此充值码早于本电表所能记住的范围，无法确认是否用过。供电状态不变。请向物业索取新的充值码。",
        Token.EXPIRED: f"此充值码对应的付款已超过 {TOKEN_DAYS} 天，代码作废；该付款仍计入您的账户。"
        "供电状态不变。请联系物业。",
        Token.NOT_YET: "此充值码的日期晚于本网关的时钟，未被消耗。请告知物业：时钟不准。",
        "token_in_balance": "这笔付款已在余额之内：网关已获通知。没有消耗任何代码。如仍断电，请再充值。",
        "token_no_grant": "本网关没有此电表的账户。充值码未被消耗，款项在账户中安全无虞。请联系物业。",
        "token_in_doubt": "本网关的存储被恢复成了旧副本，无法确认此充值码是否用过。供电状态不变，款项安全。"
        "请向物业索取应急码。",
        "token_memory_lost": "本网关无法读取已用充值码的记录，因此不再接受本电表的充值码。款项在账户中安全无虞。"
        "请向物业索取应急码。",
        "unknown_code": f"这不是有效代码：应急码为 {DIGITS} 位，充值码为 {TOKEN_DIGITS} 位。没有消耗任何代码，"
        "请核对后重新输入。",
        "unknown_meter": "此处没有该住户或电表。没有消耗任何代码。请核对门牌号或表号。",
        "unsafe": "供电保持断开：本电表有未解除的安全告警。应急码未被消耗。请联系电工。",
        "wrong_pin": "住户与密码不符。请核对，或向物业申请新密码。",
        "permit_used": "此许可已在本电表使用过。供电状态不变。请使用其他许可。",
        "in_doubt": "本网关的存储被恢复成了旧副本，无法确认当天及之前的应急码是否已经用过。供电状态不变。"
        "请让物业远程合闸，或明天再索取新的应急码。",
        "permit_in_doubt": "本网关的存储被恢复成了旧副本，无法确认此前的许可是否已在此用过。供电状态不变。"
        "请申请新的许可。",
        "hours_refused": "此许可不允许这么多小时。供电状态不变。请减少小时数。",
    },
}


def sentence(answer: Answer, *, language: str, zone: str) -> str:
    """The answer in the language of whoever reads it; instants on the wall clock of the site."""
    words = WORDS[language][answer.outcome]
    return words.format(
        until=clock_time(answer.until_us, language=language, zone=zone),
        wait=duration(answer.wait_s, language=language),
        amount=answer.amount,
    )


def clock_time(at_us: int, *, language: str, zone: str) -> str:
    """An instant as people there say it. A visitor who does not know the site's zone says so."""
    at = datetime.fromtimestamp(at_us // 1_000_000, tz=UTC).astimezone(ZoneInfo(zone))
    said = at.strftime("%m月%d日 %H:%M" if language == "zh" else "%d %b %H:%M")
    return f"{said} UTC" if zone == "UTC" else said


def duration(seconds: int, *, language: str) -> str:
    """A wait, rounded up to whole minutes from one minute on."""
    if seconds < 60:
        return f"{seconds} 秒" if language == "zh" else f"{seconds} seconds"
    minutes = -(-seconds // 60)
    if language == "zh":
        return f" {minutes} 分钟"
    return "1 minute" if minutes == 1 else f"{minutes} minutes"
