"""Who gets what from every address. An address that is not here fails the suite.

Answers are what GET (or POST, where `posts`) gives: 200, a redirect, 404 for "not yours", LOGIN for a redirect to
the sign-in page.
"""

from __future__ import annotations

from dataclasses import dataclass

LOGIN = "login"
PEOPLE = ("owner", "neighbour", "stranger", "operator", "auditor", "other_operator", "anonymous")


@dataclass(frozen=True)
class Row:
    """One address: how it is made from the scene, and what each person is answered."""

    args: str
    owner: int | str
    neighbour: int | str
    stranger: int | str
    operator: int | str
    auditor: int | str
    other_operator: int | str
    anonymous: int | str
    posts: bool = False


# The first home belongs to `owner`; `neighbour` lives next door, `stranger` in another company's building.
MATRIX = {
    "front": Row("", 302, 302, 302, 302, 302, 302, LOGIN),
    "set_language": Row("", 302, 302, 302, 302, 302, 302, 302, posts=True),
    "tenant:homes": Row("", 302, 302, 302, 200, 200, 200, LOGIN),
    "tenant:home": Row("home", 200, 404, 404, 404, 404, 404, LOGIN),
    "tenant:people": Row("home", 200, 404, 404, 404, 404, 404, LOGIN),
    "tenant:join": Row("", 200, 200, 200, 404, 404, 404, LOGIN),
    # Nobody's code: what it would have been for is told to nobody.
    "tenant:join_code": Row("code", 404, 404, 404, 404, 404, 404, LOGIN),
    "tenant:live": Row("home", 200, 404, 404, 404, 404, 404, LOGIN),
    "tenant:seconds": Row("home", 200, 404, 404, 404, 404, 404, LOGIN),
    "tenant:seconds_live": Row("home", 200, 404, 404, 404, 404, 404, LOGIN),
    "tenant:meter": Row("home", 200, 404, 404, 404, 404, 404, LOGIN),
    "tenant:meter_photo": Row("my_photo", 200, 404, 404, 404, 404, 404, LOGIN),
    "tenant:dark": Row("home", 200, 404, 404, 404, 404, 404, LOGIN),
    "tenant:charges": Row("home", 200, 404, 404, 404, 404, 404, LOGIN),
    "tenant:statement": Row("home_report", 200, 404, 404, 404, 404, 404, LOGIN),
    "tenant:statement_file": Row("home_file", 200, 404, 404, 404, 404, 404, LOGIN),
    "tenant:doubt": Row("my_line", 200, 404, 404, 404, 404, 404, LOGIN),
    "tenant:dispute": Row("my_case", 200, 404, 404, 404, 404, 404, LOGIN),
    "tenant:dispute_file": Row("my_evidence", 200, 404, 404, 404, 404, 404, LOGIN),
    # Nothing is offered there, and the page says so.
    "tenant:emergency": Row("home", 422, 404, 404, 404, 404, 404, LOGIN, posts=True),
    "tenant:split": Row("home", 200, 404, 404, 404, 404, 404, LOGIN),
    "tenant:top_up": Row("home", 422, 404, 404, 404, 404, 404, LOGIN, posts=True),
    "tenant:auto": Row("home", 200, 404, 404, 404, 404, 404, LOGIN),
    # Nothing is to be signed there: back to the page that says so.
    "tenant:auto_go": Row("home", 302, 404, 404, 404, 404, 404, LOGIN),
    "tenant:wechat_back": Row("home", 302, 404, 404, 404, 404, 404, LOGIN),
    "lines:line": Row("line", 200, 404, 404, 200, 200, 404, LOGIN),
    "tenant:owed": Row("home", 200, 404, 404, 404, 404, 404, LOGIN),
    "tenant:share": Row("share", 200, 404, 404, 404, 404, 404, LOGIN),
    "tenant:object": Row("share", 302, 404, 404, 404, 404, 404, LOGIN, posts=True),
    "tenant:share_file": Row("share", 200, 404, 404, 404, 404, 404, LOGIN),
    "pay:status": Row("payment", 200, 404, 404, 404, 404, 404, LOGIN),
    "pay:go": Row("payment", 302, 404, 404, 404, 404, 404, LOGIN),
    "pay:live": Row("payment", 200, 404, 404, 404, 404, 404, LOGIN),
    # Open to the world by design: only a provider's signature speaks here.
    "pay:callback": Row("provider", 400, 400, 400, 400, 400, 400, 400, posts=True),
    # A merchant's own address: unknown tokens are not found, whoever asks.
    "pay:shop_callback": Row("shop", 404, 404, 404, 404, 404, 404, 404, posts=True),
    "pay:account_callback": Row("shop order", 404, 404, 404, 404, 404, 404, 404, posts=True),
    "console:books": Row("", 404, 404, 404, 302, 302, 302, LOGIN),
    "console:today": Row("book", 404, 404, 404, 200, 200, 404, LOGIN),
    "console:live": Row("book", 404, 404, 404, 200, 200, 404, LOGIN),
    "console:unit": Row("unit", 404, 404, 404, 200, 200, 404, LOGIN),
    "console:restore_code": Row("unit", 404, 404, 404, 200, 200, 404, LOGIN),
    "console:moves": Row("book", 404, 404, 404, 200, 200, 404, LOGIN),
    "console:move": Row("unit", 404, 404, 404, 200, 200, 404, LOGIN),
    "console:lets": Row("book", 404, 404, 404, 200, 200, 404, LOGIN),
    "console:lets_many": Row("book", 404, 404, 404, 200, 200, 404, LOGIN),
    "console:let": Row("let", 404, 404, 404, 200, 200, 404, LOGIN),
    # Refused in words on the page itself: no end was named, no circuit chosen.
    "console:let_word": Row("let", 404, 404, 404, 422, 404, 404, LOGIN, posts=True),
    "console:circuit": Row("meter", 404, 404, 404, 422, 404, 404, LOGIN, posts=True),
    "console:reports": Row("book", 404, 404, 404, 200, 200, 404, LOGIN),
    "console:report": Row("report", 404, 404, 404, 200, 200, 404, LOGIN),
    "console:report_file": Row("report_file", 404, 404, 404, 200, 200, 404, LOGIN),
    "console:try_tariff": Row("book", 404, 404, 404, 200, 200, 404, LOGIN),
    "console:bookkeeping": Row("book", 404, 404, 404, 200, 200, 404, LOGIN),
    "console:closed_pack": Row("closed", 404, 404, 404, 200, 200, 404, LOGIN),
    "console:disputes": Row("book", 404, 404, 404, 200, 200, 404, LOGIN),
    "console:dispute": Row("case", 404, 404, 404, 200, 200, 404, LOGIN),
    "console:dispute_file": Row("evidence", 404, 404, 404, 200, 200, 404, LOGIN),
    "console:corrections": Row("book", 404, 404, 404, 200, 200, 404, LOGIN),
    "console:alarms": Row("book", 404, 404, 404, 200, 200, 404, LOGIN),
    # Of another book; seeing one of the own is in test_alarms.py.
    "console:alarm_seen": Row("foreign alarm", 404, 404, 404, 404, 403, 404, LOGIN, posts=True),
    # Refused in words on the page itself: nothing is held there.
    "console:safety_release": Row("meter", 404, 404, 404, 422, 403, 404, LOGIN, posts=True),
    "console:quarantine": Row("book", 404, 404, 404, 200, 200, 404, LOGIN),
    "console:data": Row("book", 404, 404, 404, 200, 200, 404, LOGIN),
    "console:data_check": Row("book", 404, 404, 404, 302, 403, 404, LOGIN, posts=True),
    "console:data_day": Row("meter", 404, 404, 404, 200, 200, 404, LOGIN),
    "console:data_edit": Row("meter", 404, 404, 404, 422, 403, 404, LOGIN, posts=True),
    "console:meters": Row("book", 404, 404, 404, 200, 200, 404, LOGIN),
    "console:meter": Row("meter", 404, 404, 404, 200, 200, 404, LOGIN),
    "console:exchange": Row("meter", 404, 404, 404, 200, 200, 404, LOGIN),
    "console:commissioning": Row("book", 404, 404, 404, 200, 200, 404, LOGIN),
    "console:checklist": Row("meter", 404, 404, 404, 200, 200, 404, LOGIN),
    "console:check_step": Row("meter", 404, 404, 404, 422, 404, 404, LOGIN, posts=True),
    "console:meter_photo": Row("photo", 404, 404, 404, 200, 200, 404, LOGIN),
    "console:orders": Row("book", 404, 404, 404, 200, 200, 404, LOGIN),
    # An operator may not answer for many dark homes, and is told so.
    "console:answer_held": Row("book", 404, 404, 404, 403, 404, 404, LOGIN, posts=True),
    "console:step_push": Row("push", 404, 404, 404, 422, 404, 404, LOGIN, posts=True),
    "console:meter_orders": Row("meter", 404, 404, 404, 200, 200, 404, LOGIN),
    "console:limit_meter": Row("meter", 404, 404, 404, 422, 404, 404, LOGIN, posts=True),
    # Seconds tell how somebody lives: clerks may look and leave a row; auditors see figures.
    "console:seconds": Row("meter", 404, 404, 404, 200, 404, 404, LOGIN),
    "console:seconds_live": Row("meter", 404, 404, 404, 200, 404, 404, LOGIN),
    "console:meter_certificate": Row("meter", 404, 404, 404, 422, 403, 404, LOGIN, posts=True),
    "console:meter_estimate": Row("meter", 404, 404, 404, 422, 403, 404, LOGIN, posts=True),
    "console:meter_check": Row("meter", 404, 404, 404, 422, 403, 404, LOGIN, posts=True),
    "console:merchants": Row("book", 404, 404, 404, 200, 200, 404, LOGIN),
    # Operators are told that only administrators say where money goes.
    "console:propose_merchant": Row("book provider", 404, 404, 404, 422, 404, 404, LOGIN, posts=True),
    "console:offer_merchant": Row("book account", 404, 404, 404, 422, 404, 404, LOGIN, posts=True),
    "console:reconciliation": Row("book", 404, 404, 404, 200, 200, 404, LOGIN),
    "console:reconciled_day": Row("providers day", 404, 404, 404, 200, 200, 404, LOGIN),
    "console:reconciled_csv": Row("providers day", 404, 404, 404, 200, 200, 404, LOGIN),
    # Refused in words on the page itself: nothing of that name differs.
    "console:settle_difference": Row("providers day", 404, 404, 404, 422, 404, 404, LOGIN, posts=True),
    "console:cash": Row("book", 404, 404, 404, 200, 200, 404, LOGIN),
    # No desk, home, shift or amount is named: the page says so.
    "console:cash_open": Row("book", 404, 404, 404, 422, 404, 404, LOGIN, posts=True),
    "console:cash_take": Row("book", 404, 404, 404, 422, 404, 404, LOGIN, posts=True),
    "console:cash_done": Row("cash fact", 404, 404, 404, 302, 302, 404, LOGIN),
    # A payment that no window scanned: `test_a_code_is_scanned_at_the_window` has one that was.
    "console:cash_code": Row("book payment", 404, 404, 404, 404, 404, 404, LOGIN),
    "console:cash_back": Row("cash number", 404, 404, 404, 302, 404, 404, LOGIN, posts=True),
    "console:shifts": Row("book", 404, 404, 404, 200, 200, 404, LOGIN),
    "console:shift": Row("cash fact", 404, 404, 404, 200, 200, 404, LOGIN),
    "console:count_shift": Row("cash fact", 404, 404, 404, 422, 404, 404, LOGIN, posts=True),
    "console:receipts": Row("book", 404, 404, 404, 200, 200, 404, LOGIN),
    "console:void_receipt": Row("cash number", 404, 404, 404, 422, 404, 404, LOGIN, posts=True),
    "console:two_people": Row("book", 404, 404, 404, 200, 200, 404, LOGIN),
    "console:answer_money": Row("cash number", 404, 404, 404, 422, 404, 404, LOGIN, posts=True),
    "console:claim_money": Row("cash number", 404, 404, 404, 422, 404, 404, LOGIN, posts=True),
    "console:deposits": Row("book", 404, 404, 404, 200, 200, 404, LOGIN),
    "console:bank": Row("book", 404, 404, 404, 200, 200, 404, LOGIN),
    # Open to who holds the paper: an unguessable address, and nothing but what the paper says.
    "pay:receipt": Row("paper", 200, 200, 200, 200, 200, 200, 200),
    "pay:receipt_file": Row("paper file", 200, 200, 200, 200, 200, 200, 200),
    "tenant:receipts": Row("home", 200, 404, 404, 404, 404, 404, LOGIN),
    "console:credit": Row("book", 404, 404, 404, 200, 200, 404, LOGIN),
    "console:credit_csv": Row("book", 404, 404, 404, 200, 200, 404, LOGIN),
    "console:credit_rule": Row("credit kind", 404, 404, 404, 422, 404, 404, LOGIN, posts=True),
    # Refused in words on the page itself: no answer was given.
    "console:credit_step": Row("credit rule", 404, 404, 404, 422, 404, 404, LOGIN, posts=True),
    "tenant:messages": Row("home", 200, 404, 404, 404, 404, 404, LOGIN),
    # No address, no code of ours, no browser's keys: refused in words on the page itself.
    "tenant:message_address": Row("home", 422, 404, 404, 404, 404, 404, LOGIN, posts=True),
    "tenant:message_prove": Row("my contact", 422, 404, 404, 404, 404, 404, LOGIN, posts=True),
    "tenant:message_end": Row("my contact", 422, 404, 404, 404, 404, 404, LOGIN, posts=True),
    "tenant:message_browser": Row("home", 422, 404, 404, 404, 404, 404, LOGIN, posts=True),
    # The address in a message is its reader's; a browser or a provider reports at one that nobody guesses.
    "notices:opened": Row("message", 302, 404, 404, 404, 404, 404, LOGIN),
    "notices:seen": Row("message", 204, 204, 204, 204, 204, 204, 204, posts=True),
    "notices:heard": Row("message", 404, 404, 404, 404, 404, 404, 404, posts=True),
    "notices:worker": Row("", 200, 200, 200, 200, 200, 200, 200),
    "console:messages": Row("book", 404, 404, 404, 200, 200, 404, LOGIN),
    "console:message_again": Row("book account", 404, 404, 404, 422, 404, 404, LOGIN, posts=True),
    "console:answer_call": Row("book account", 404, 404, 404, 422, 404, 404, LOGIN, posts=True),
    "console:message_words": Row("book", 404, 404, 404, 200, 200, 404, LOGIN),
    "console:words_of_message": Row("book words", 404, 404, 404, 200, 200, 404, LOGIN),
    "console:door_notice": Row("unit", 404, 404, 404, 200, 200, 404, LOGIN),
    "console:postpaid": Row("book", 404, 404, 404, 200, 200, 404, LOGIN),
    "console:wave": Row("wave", 404, 404, 404, 200, 200, 404, LOGIN),
    "console:wave_notices": Row("wave", 404, 404, 404, 200, 200, 404, LOGIN),
    # Who reads meters writes: auditors look at what was read elsewhere.
    "console:rounds": Row("book", 404, 404, 404, 200, 404, 404, LOGIN),
    "console:round_stop": Row("stop", 404, 404, 404, 200, 404, 404, LOGIN),
    "console:round_again": Row("again", 404, 404, 404, 404, 404, 404, LOGIN, posts=True),
    "tenant:invoices": Row("home", 200, 404, 404, 404, 404, 404, LOGIN),
    "tenant:invoice_file": Row("my_invoice", 200, 404, 404, 404, 404, 404, LOGIN),
    "console:invoices": Row("book", 404, 404, 404, 200, 200, 404, LOGIN),
    # The month is not over, and the page says so.
    "console:invoice_month": Row("book", 404, 404, 404, 422, 404, 404, LOGIN, posts=True),
    "console:home_invoices": Row("wallet", 404, 404, 404, 200, 200, 404, LOGIN),
    "console:invoice": Row("invoice", 404, 404, 404, 200, 200, 404, LOGIN),
    # No platform is set up there, and the page that is led back to says so.
    "console:efapiao": Row("invoice", 404, 404, 404, 302, 404, 404, LOGIN, posts=True),
    "tenant:efapiao": Row("my_fapiao", 302, 404, 404, 404, 404, 404, LOGIN, posts=True),
    "console:invoice_file": Row("invoice_file", 404, 404, 404, 200, 200, 404, LOGIN),
    "tenant:refunds": Row("home", 200, 404, 404, 404, 404, 404, LOGIN),
    "console:refunds": Row("book", 404, 404, 404, 200, 200, 404, LOGIN),
    "console:refund": Row("refund", 404, 404, 404, 200, 200, 404, LOGIN),
    "console:new_refund": Row("wallet", 404, 404, 404, 200, 200, 404, LOGIN),
    "console:fees": Row("book", 404, 404, 404, 200, 200, 404, LOGIN),
    "console:add_fee": Row("book", 404, 404, 404, 422, 404, 404, LOGIN, posts=True),
    "console:fee": Row("fee", 404, 404, 404, 200, 200, 404, LOGIN),
    "console:end_fee": Row("fee", 404, 404, 404, 422, 404, 404, LOGIN, posts=True),
    "console:take_back_fee": Row("fee entry", 404, 404, 404, 302, 404, 404, LOGIN, posts=True),
    "console:costs": Row("book", 404, 404, 404, 200, 200, 404, LOGIN),
    "console:draft_cost": Row("book", 404, 404, 404, 422, 404, 404, LOGIN, posts=True),
    "console:cost": Row("cost", 404, 404, 404, 200, 200, 404, LOGIN),
    # Refused in words on the page itself: published before, no reason given.
    "console:publish_cost": Row("cost", 404, 404, 404, 302, 404, 404, LOGIN, posts=True),
    "console:take_back_cost": Row("cost", 404, 404, 404, 302, 404, 404, LOGIN, posts=True),
    "console:cost_file": Row("cost", 404, 404, 404, 200, 200, 404, LOGIN),
    "console:decide": Row("any share", 404, 404, 404, 302, 404, 404, LOGIN, posts=True),
}
# allauth's own pages: each person's own account and nothing else; they take no id of anybody.
ACCOUNT_PREFIXES = ("account_", "mfa_")
