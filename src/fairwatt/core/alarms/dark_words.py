"""Why it is dark and the one next step, in words: the same at the gateway's own page and in the cloud."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from fairwatt.core.alarms.dark import Cause


class Said(NamedTuple):
    """What a resident is told: the cause in a few words, what it means, and what to do now."""

    cause: str
    meaning: str
    step: str


_EN: Final[Mapping[Cause, Said]] = {
    Cause.GRID: Said(
        "A power cut in the street",
        "The meter gets no power from the grid. It is not about your account.",
        "Wait for the grid to come back; the network operator knows more. Switch off stoves and heaters meanwhile.",
    ),
    Cause.METER_FAULT: Said(
        "The meter does not do its work",
        "It does not answer, or its switch does not follow. Your money is untouched.",
        "Call the people who look after the building: somebody has to go to the meter.",
    ),
    Cause.SAFETY: Said(
        "Switched off for safety",
        "The meter measured something dangerous and the power was switched off. Topping up does not change that.",
        "Call the people who look after the building; an electrician has to look first.",
    ),
    Cause.OVERLOAD: Said(
        "Too much was switched on at once",
        "The home drew more power than its connection may carry.",
        "Switch off heaters, stoves and kettles. The power comes back by itself after a few minutes; if it does not "
        "within ten, call the people who look after the building.",
    ),
    Cause.OPERATOR: Said(
        "Switched off by the building's staff",
        "A person of the building switched the power off.",
        "Call the people who look after the building; they know why and until when.",
    ),
    Cause.CREDIT: Said(
        "The credit is used up",
        "There was no credit left, and the power was switched off.",
        "Top up; the power comes back by itself.",
    ),
    Cause.BREAKER: Said(
        "A breaker inside the home",
        "The meter delivers power, but none is used: a breaker or fuse behind it is off.",
        "Look at the breakers in your home. One that is down: unplug what you used last, then push it up.",
    ),
    Cause.UNKNOWN: Said(
        "The cause is not known yet",
        "What the meter last told leaves more than one possibility, and we do not guess.",
        "Look at the breakers in your home; if they are all up, call the people who look after the building.",
    ),
}
_ZH: Final[Mapping[Cause, Said]] = {
    Cause.GRID: Said(
        "外部电网停电",
        "电网没有向电表供电，与您的账户无关。",
        "请等待电网恢复，供电公司了解更多情况。期间请关闭炉灶和取暖器。",
    ),
    Cause.METER_FAULT: Said(
        "电表故障",
        "电表没有应答，或开关没有按指令动作。您的余额没有变化。",
        "请联系物业：需要有人到电表现场处理。",
    ),
    Cause.SAFETY: Said(
        "因安全原因断电",
        "电表测到危险情况，已自动断电。充值不能恢复供电。",
        "请联系物业，须由电工检查后才能恢复。",
    ),
    Cause.OVERLOAD: Said(
        "同时使用的电器过多",
        "用电功率超过了线路允许的上限。",
        "请关闭取暖器、炉灶和电热水壶，几分钟后会自动恢复供电；十分钟后仍未恢复，请联系物业。",
    ),
    Cause.OPERATOR: Said(
        "物业人员断电",
        "物业工作人员切断了供电。",
        "请联系物业，了解原因和恢复时间。",
    ),
    Cause.CREDIT: Said(
        "余额已用完",
        "余额用完后，供电已切断。",
        "请充值，到账后自动恢复供电。",
    ),
    Cause.BREAKER: Said(
        "家中空气开关跳闸",
        "电表在供电，但家中没有用电：电表之后的空气开关或保险断开了。",
        "请查看家中的空气开关。若有跳下的，先拔掉刚才使用的电器，再推上去。",
    ),
    Cause.UNKNOWN: Said(
        "原因尚不明确",
        "电表最近的数据还不足以判断原因，我们不做猜测。",
        "请先查看家中的空气开关；若都正常，请联系物业。",
    ),
}


def said(*, cause: Cause, language: str) -> Said:
    """The words for a cause; Chinese for any kind of Chinese, English for everything else."""
    return (_ZH if language.lower().startswith("zh") else _EN)[cause]
