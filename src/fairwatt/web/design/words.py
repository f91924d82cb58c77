"""Reasons, events and refusals as sentences: what happened, what it meant for supply or money.

The poster stores one word per reason; tenant and console read the same sentence from here. An unknown word is
shown as it is, never hidden.
"""

from __future__ import annotations

from collections.abc import Mapping

from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from fairwatt.web.design import (
    alarm_words,
    cash_words,
    credit_words,
    message_words,
    move_words,
    pay_words,
    reconcile_words,
    refund_words,
)
from fairwatt.web.design.meter_events import METER_EVENTS

Words = Mapping[str, str | Promise]

REASONS: Words = {
    **credit_words.REASONS,
    "has_credit": _("there is credit"),
    "credit_returned": _("credit returned"),
    "already_ordered": _("the order is already on its way"),
    "already_off": _("the meter is already off"),
    "feeds_gateway": _("this meter feeds the site's own gateway"),
    "protected": _("this home is on the protected list"),
    "emergency_restore": _("an emergency code keeps the supply on"),
    "payment_in_flight": _("a payment is on its way"),
    "stale_data": _("the meter has not been read recently"),
    "quarantined": _("a reading is being checked"),
    "friendly_hours": _("nobody is cut off in friendly hours"),
    "not_warned": _("a warning must come first"),
    "balance_empty": _("the credit is used up"),
    "top_up": _("a top-up arrived"),
    "tariff": _("prices changed"),
    "grant": _("the gateway's credit was renewed"),
    "mass_cut": _("too many homes would go dark at once, and an administrator is asked first"),
    "operator": _("somebody of the desk ordered it"),
    "safety_open": _("the gateway keeps it off for safety"),
    "safety_reset": _("the desk let power return"),
}

PERIODS: Words = {
    "all": _("all day"),
    "day": _("day"),
    "night": _("night"),
    "peak": _("peak"),
    "critical peak": _("critical peak"),
    "flat": _("flat"),
    "standard": _("standard"),
    "shoulder": _("shoulder"),
    "off-peak": _("off-peak"),
    "offpeak": _("off-peak"),
    "sharp": _("critical peak"),
    "evening": _("evening"),
    "valley": _("valley"),
    "deep valley": _("deep valley"),
}

TAXES: Words = {"vat": _("VAT"), "gst": _("GST")}

FEES: Words = {
    "property": _("property fee"),
    "parking": _("parking"),
    "rent": _("rent"),
    "other": _("other fees"),
}
EVERY: Words = {
    "month": _("every month"),
    "quarter": _("every quarter"),
    "year": _("every year"),
    "once": _("once"),
}
BASES: Words = {
    "area": _("floor area"),
    "heads": _("people"),
    "days": _("days lived in"),
    "own_use": _("own use"),
    "equal": _("equal shares"),
}

EVENTS: Words = {
    **METER_EVENTS,
    **credit_words.EVENTS,
    **pay_words.EVENTS,
    **reconcile_words.EVENTS,
    **move_words.EVENTS,
    **cash_words.EVENTS,
    **refund_words.EVENTS,
    **message_words.EVENTS,
    "supply.cut": _("{home}: power ordered off, {reason}"),
    "supply.restore": _("{home}: power ordered on, {reason}"),
    "supply.withheld": _("{home}: out of credit, but power stays on: {reason}"),
    "supply.proven.closed": _("{home}: the meter shows that power is on"),
    "supply.proven.open": _("{home}: the meter shows that power is off"),
    "alarm.gateway_key": _("{gateway}: the stored key cannot be used; its receipts are not believed"),
    "alarm.grant_unsendable": _("{home}: the tariff is too long to send; the gateway has no offline rule"),
    "alarm.policy_unusable": _("A credit policy cannot be read; nobody under it is cut"),
    "alarm.tariff_unusable": _("A tariff cannot be read; homes under it are not charged, supply stays on"),
    "credit.recovered": _("{home}: credit is above the warning level again"),
    "supply.cut_void": _("{home}: the cut was given up, the meter stayed on"),
    "payment.credited": _("{home}: topped up {amount}"),
    "payment.review": _(
        "{home}: a payment does not match what was asked for; it is kept aside until someone decides"
    ),
    "fee.run": _("A fee fell due: {amount} was asked for; energy keeps its reserve"),
    "shared.published": _("A shared cost was published; residents may object"),
    "shared.posted": _("A shared cost was charged: {amount}"),
    "arrears.recovered": _("{home}: {amount} of a top-up went to arrears"),
    "cost.reversed": _("{home}: a fee or shared cost was taken back, {amount} returned"),
    "fact.refused": _("A message that asked for money to move was refused; nothing moved"),
    "credit.corrected": _(
        "{home}: a correction or the end of a period used up the credit; a new warning comes before anything else"
    ),
    "window.settled": _("{home}: a period ended and was settled, {amount}"),
    "desk.account_values": _("{home}: what its prices depend on (persons, kW) was noted"),
    "reading.edited": _("{home}: a reading was set right; the charges around it followed"),
    "tariff.correcting": _("A corrected tariff was confirmed; charges of the past are being set right"),
    "tariff.corrected": _("A corrected tariff has been applied to every home"),
    "desk.estimate_approved": _("{home}: a dead meter's estimate was approved and will be charged"),
    "estimate.charged": _(
        "{home}: a dead meter's approved estimate was charged, {amount}; nobody is cut on it"
    ),
    "estimate.trued_up": _(
        "{home}: the meter was read after its use had been estimated, and the estimate gave way"
    ),
    "desk.readings_imported": _("{home}: a file of readings was taken over; no balance moved"),
    "desk.days_checked": _("The meters' last five weeks were looked at; gaps are marked as estimates"),
    "alarm.mass_cut": _(
        "Too many cuts were due at once; everybody keeps power until an administrator answers"
    ),
    "supply.mass_cut_allowed": _("An administrator said that the cuts held back are meant"),
    "supply.mass_cut_refused": _("An administrator refused the cuts held back; everybody keeps power"),
    "supply.cut_ordered": _("{home}: somebody of the desk ordered the power off"),
    "supply.restore_ordered": _("{home}: somebody of the desk ordered the power on"),
    "desk.mass_cut_answered": _("The question about too many cuts was answered at the desk"),
    "desk.push_started": _("Somebody of the desk wished something of meters"),
    "desk.push_stepped": _("A wish for meters was paused, resumed, stopped or approved"),
    "gateway.standing_receipt": _("{gateway}: the gateway answered a wish"),
    "gateway.standing_refused": _("{home}: the meter's model cannot do what was wished; nothing was changed"),
    "gateway.reported": _("{gateway}: the gateway reported what a meter or it is set to"),
    "desk.seconds_viewed": _("{home}: somebody of the desk looked at its use second by second"),
    "desk.interval_edited": _("{home}: an interval's value was set right by hand; no balance moved"),
    "desk.certificate_recorded": _("{home}: a meter certificate was recorded"),
    "desk.meter_check_pass": _("{home}: the meter was tested and is within its limit"),
    "desk.meter_check_fail": _("{home}: the meter was tested and is outside its limit; look at it"),
    "desk.meter_check_unsure": _("{home}: the meter was tested too shortly to say"),
    "desk.month_closed": _("A month was closed by the desk"),
    "desk.bill_entered": _("A supplier's bill was entered"),
    "desk.trust_entered": _("A statement of the trust account was entered"),
    "desk.dispute_ruled": _("{home}: a dispute was ruled, {amount} to be given back"),
    "desk.dispute_approval": _("{home}: a ruling on a dispute was approved"),
    "desk.dispute_refusal": _("{home}: a ruling on a dispute was not approved"),
    "dispute.counted": _(
        "{home}: a charge that a ruling had given back was corrected as well; it is given back once"
    ),
    "dispute.given_back": _("{home}: {amount} was given back by a ruling on a disputed charge"),
    "balance.brought_over": _("{home}: a balance was brought over from an earlier system"),
    "reading.late": _("{home}: late readings arrived; the charge was set right"),
    "order.refused": _("{home}: the meter refused an order; it is tried again"),
    "alarm.relay_disobeys": _("{home}: the relay is not where it was ordered to be; look at the meter"),
    "alarm.command_forged": _(
        "{gateway}: got an order that we did not sign, and did not obey it; look at the gateway"
    ),
    "alarm.gateway_rolled_back": _(
        "{gateway}: an older copy of its memory was put back; find out by whom. No order was obeyed twice"
    ),
    "gateway.records_lost": _("{gateway}: lost some of its records; the meters' totals settle the gap"),
    "gateway.readings_dropped": _(
        "{gateway}: its memory was full and old readings made room; totals stay right"
    ),
    "gateway.spool_rolled_back": _("{gateway}: its memory went back in time; totals stay right"),
    "gateway.clock_offset": _("{gateway}: its clock was wrong and has been set; supply stayed as it was"),
    "gateway.clock_slewed": _("{gateway}: its clock was a little off and is being set right"),
    "gateway.meter_clock_set": _("{home}: the meter's clock was wrong and has been set"),
    "gateway.meter_clock_wrong": _(
        "{home}: the meter's clock is wrong and could not be set; look at the meter"
    ),
    "gateway.meter_silent": _("{home}: the meter does not answer its gateway; supply stays as it is"),
    "gateway.meter_back": _("{home}: the meter answers again"),
    "gateway.meter_refused": _("{home}: the meter refused to switch; look at the meter"),
    "gateway.local_trip": _(
        "{home}: the gateway switched off by its own grant while it had no link, {reason}"
    ),
    "gateway.local_restore": _("{home}: the gateway switched on by its own grant while it had no link"),
    "gateway.local_warning": _("{home}: the gateway warned at the meter while it had no link"),
    "gateway.local_warning_ended": _("{home}: credit is back, and the gateway ended the meter's alarm"),
    "gateway.local_withheld": _(
        "{home}: out of credit while the gateway had no link, but power stays on: {reason}"
    ),
    "gateway.local_switch_failed": _("{home}: the gateway could not switch the relay; look at the meter"),
    "gateway.guard_balance.unknown": _(
        "{gateway}: back, and reported what it counted alone; the ledger counts"
    ),
    "gateway.guard_balance.agrees": _(
        "{home}: the gateway is back, and its own count agrees with the ledger to the last digit"
    ),
    "gateway.guard_balance.differs": _(
        "{home}: the gateway is back; it had counted {amount} more than the ledger, which counts: what was paid, "
        "priced or corrected meanwhile"
    ),
    "gateway.alarm_raised": _("{home}: alarm at the meter, {reason}"),
    "gateway.alarm_cleared": _("{home}: the alarm is over, {reason}"),
    "gateway.safety_cut": _("{home}: switched off for safety, {reason}"),
    "gateway.safety_released": _("{home}: no longer kept off for safety, {reason}"),
    "gateway.safety_reset_refused": _("{home}: stays off for safety, the danger is still measured"),
    "gateway.power_limited": _("{home}: the meter limits the power because credit is low"),
    "gateway.power_limit_lifted": _("{home}: the power limit is lifted"),
    "supply.safety_reset": _("{home}: the desk let power return; the gateway looks first"),
    "desk.alarm_seen": _("{home}: somebody of the desk has seen an alarm, {reason}"),
    "desk.safety_reset": _("{home}: somebody of the desk says that the danger is mended, {reason}"),
    "gateway.device_unknown": _(
        "{gateway}: heard a meter that is not in its settings; add it or take it off the air"
    ),
    "gateway.message_refused": _("{home}: a message of the meter could not be used; its next one is awaited"),
    "gateway.grant_unusable": _("{home}: the gateway cannot use its grant of credit; update the gateway"),
    "gateway.command_forged": _("{gateway}: got an order twice with other content, and did not obey it"),
    "gateway.command_bad_signature": _("{gateway}: got an order that nobody signed, and did not obey it"),
    "gateway.command_unknown_meter": _("{gateway}: got an order for a meter it does not have"),
}


def reason(code: str) -> str:
    """A stored reason as words; an alarm's code is one too."""
    known = REASONS.get(code)
    return str(known) if known is not None else alarm_words.title(code)


def period(name: str) -> str:
    """A tariff period's name in the reader's language, or as the tariff writes it."""
    return str(PERIODS.get(name.lower(), name))


def tax(name: str) -> str:
    """A tax's name in the reader's language, or as the tariff writes it."""
    return str(TAXES.get(name.lower(), name))


def fee_category(code: str) -> str:
    """What a fee is for."""
    return str(FEES.get(code, code))


def earned(account: str) -> str:
    """What was charged, by the account it was earned on."""
    if account.startswith("revenue:fee:"):
        return fee_category(account.removeprefix("revenue:fee:"))
    return gettext("share of a common cost")


def every(code: str) -> str:
    """How often a fee comes back."""
    return str(EVERY.get(code, code))


def basis(code: str) -> str:
    """What a part of a formula counts."""
    return str(BASES.get(code, code))


def event(
    *, kind: str, reason_code: str, home: str, gateway: str, amount: str, rule: str = "", days: int = 0
) -> str:
    """An event as one sentence; `amount` is the money it names, as text, `days` those it speaks of."""
    known = EVENTS.get(f"{kind}:{rule}") or EVENTS.get(kind) or EVENTS.get(f"{kind}.{reason_code}")
    place = home or gateway or gettext("This site")
    if known is None:
        return f"{place}: {kind.replace('_', ' ')}" + (f", {reason(reason_code)}" if reason_code else "")
    return str(known).format(
        home=home or place, gateway=gateway or place, reason=reason(reason_code), amount=amount, days=days
    )
