"""Channels, steps and states of messages in the reader's words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from fairwatt.core.notices.model import Channel, State, Step

CHANNELS: Final[Mapping[str, str | Promise]] = {
    Channel.PUSH: _("This or another browser"),
    Channel.WECHAT: _("WeChat"),
    Channel.EMAIL: _("E-mail"),
    Channel.SMS: _("Short message"),
    Channel.STAFF: _("Line to staff"),
}
STEPS: Final[Mapping[str, str | Promise]] = {
    Step.DAYS: _("Credit for some days"),
    Step.DAY: _("Credit for a day"),
    Step.LOW: _("Credit is low"),
    Step.CRITICAL: _("Credit is almost gone"),
    Step.EMERGENCY: _("Emergency credit is on"),
    Step.HOURS: _("Credit for two hours"),
    Step.EMPTY: _("Credit is used up"),
    Step.CUT: _("Supply is being switched off"),
    Step.RESTORED: _("Supply is back"),
    Step.AUTO: _("An automatic top-up is taken"),
    Step.AUTO_FAILED: _("No automatic top-up came about"),
    Step.AUTO_ENDED: _("Automatic top-up is off"),
    Step.CONTRACT: _("The contract ends"),
    Step.ENDED: _("The contract has ended"),
    Step.BALANCE: _("Balance, as asked for"),
    Step.CODE: _("Code that proves an address"),
    Step.CONTACT: _("An address was added"),
    Step.TRY: _("Trying the line"),
    Step.DIGEST: _("Several things in one"),
    Step.ALARM: _("Alarm, to staff"),
    Step.CALL: _("Please call, to staff"),
}
STATES: Final[Mapping[str, str | Promise]] = {
    State.QUEUED: pgettext_lazy("a message", "waiting"),
    State.SENT: pgettext_lazy("a message", "handed over"),
    State.DELIVERED: pgettext_lazy("a message", "arrived"),
    State.READ: pgettext_lazy("a message", "opened"),
    State.FAILED: pgettext_lazy("a message", "failed"),
    State.SUPPRESSED: pgettext_lazy("a message", "not sent"),
}
REASONS: Final[Mapping[str, str | Promise]] = {
    "told_today": _("said once today already"),
    "silenced": _("the resident does not want it"),
    "too_many": _("so many messages went out in a day that this one waits for nobody"),
    "no_longer_true": _("it was true no more when it would have gone out"),
    "lives_elsewhere": _("who it was for lived there no more when it would have gone out"),
    "taken_back": _("its address was taken back before it went out"),
    "too_late": _("it was half a day old when it could have gone out"),
    "in_digest": _("it went out with others in one message"),
    "no_line": _("this organisation has no line for the channel; set one up in notify.toml"),
    "line_rests": _("the line failed several times and rests; it is tried again by itself"),
    "subscription_gone": _("the browser takes no messages any more; the address was taken out"),
    "no_consent": _("the reader's consent to one WeChat message is used up"),
    "gave_up": _("it was tried six times"),
}
BECAUSE: Final[Mapping[str, str | Promise]] = {
    "no_contact": _("no address is known"),
    "no_receipt": _("no message was shown to have arrived"),
    "cut_unreached": _("supply was ordered off and no warning was shown to have arrived"),
}
ANSWERS: Final[Mapping[str, str | Promise]] = {
    "called": _("Reached by telephone"),
    "notice": _("Notice hung at the door"),
    "met": _("Spoken to"),
    "not_found": _("Nobody could be found"),
}
EVENTS: Final[Mapping[str, str | Promise]] = {
    "desk.message_again": _("{home}: a message was asked for once more"),
    "desk.escalation_answered": _("{home}: staff answered the call list"),
    "desk.message_words": _("The words of a message were changed"),
    "desk.address_noted": _("{home}: an address for messages was noted"),
}
ATTEMPTS: Final[Mapping[str, str | Promise]] = {
    "queued": _("written down"),
    "taken": _("in hand"),
    "found": _("the provider had it already"),
    "retry": _("to be tried again"),
    "sent": _("handed over"),
    "delivered": _("arrived"),
    "read": _("opened by its reader"),
    "failed": _("failed"),
    "suppressed": _("not sent"),
}


def reason(code: str) -> str:
    """Why a message failed or was not sent; a provider's own code stays as it is."""
    if code.startswith("cannot_say"):
        return str(_("the line cannot say this: %(why)s")) % {"why": code.partition(": ")[2]}
    return str(REASONS.get(code, code))
