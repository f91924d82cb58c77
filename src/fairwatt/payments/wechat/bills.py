"""WeChat Pay's bills: CSV with a backtick before every cell, amounts in YUAN where the API speaks FEN.

The download itself is unsigned by design; the digest of the unpacked file, told in a signed answer, stands for it.
"""

from __future__ import annotations

import csv
import zlib
from collections.abc import Iterator, Mapping
from hashlib import sha1, sha256
from typing import Final
from urllib.parse import urlsplit

from fairwatt.payments.amounts import minor_from_text
from fairwatt.payments.clocks import BEIJING, wall_us
from fairwatt.payments.contract import Bill, BillCorrupt, BillKind, BillNotReady, BillRow, Kind, State
from fairwatt.payments.exchange import DOWNLOAD_S, Exchange, HttpAsk, Moment, ReplyNotBelieved
from fairwatt.payments.wechat.orders import refused
from fairwatt.payments.wechat.signing import WechatAccount, authorization, believed, signed_ask

BYTES_MAX: Final = 256 << 20
_NONE_YET: Final = frozenset({"NO_STATEMENT_EXIST", "STATEMENT_CREATING"})
_PATHS: Final = {
    BillKind.TRADE: "/v3/bill/tradebill?bill_date={day}&bill_type=ALL&tar_type=GZIP",
    BillKind.FUNDS: "/v3/bill/fundflowbill?bill_date={day}&account_type=BASIC&tar_type=GZIP",
}
_SUMMARY: Final = {BillKind.TRADE: "总交易单数", BillKind.FUNDS: "资金流水总笔数"}
_FEES: Final = frozenset({"手续费", "扣除交易手续费", "退还交易手续费"})


def fetch_bill(account: WechatAccount, day: str, kind: BillKind, at: Moment) -> Exchange[Bill]:
    """A day's bill, whole. An empty day answers NO_STATEMENT_EXIST, as one that is not made yet does."""
    reply = yield signed_ask(account, "GET", _PATHS[kind].format(day=day), None, at)
    said = believed(account, reply)
    if said.maybe("code") in _NONE_YET:
        raise BillNotReady(f"WeChat Pay has no bill of {day} ({said.maybe('code')})")
    if reply.status != 200:
        raise refused(reply, said)
    url, digest = said.text("download_url"), said.word("hash_value")
    if urlsplit(url).netloc != urlsplit(account.gateway).netloc:
        # Our signature would go to another address.
        raise ReplyNotBelieved("the bill is to be fetched from elsewhere; it was not")
    headers = {"Authorization": authorization(account, "GET", url, b"", at), "Accept": "*/*"}
    got = yield HttpAsk(method="GET", url=url, headers=headers, bytes_max=BYTES_MAX, total_s=DOWNLOAD_S)
    if got.status != 200:
        raise BillNotReady(
            f"the bill of {day} could not be downloaded ({got.status}); ask for its address again"
        )
    raw = _unpacked(got.body)
    if sha1(raw, usedforsecurity=False).hexdigest() != digest.lower():
        raise BillCorrupt(f"the bill of {day} is not the one whose digest was told; ask again")
    rows = tuple(read_trades(raw) if kind is BillKind.TRADE else read_funds(raw))
    return Bill(day=day, kind=kind, rows=rows, raw_sha256=sha256(raw).hexdigest(), raw=raw)


def _unpacked(body: bytes) -> bytes:
    if body[:2] != b"\x1f\x8b":
        return body
    try:
        opened = zlib.decompressobj(wbits=31)
        raw = opened.decompress(body, BYTES_MAX)
    except zlib.error as broken:
        raise BillCorrupt("the bill cannot be unpacked; ask again") from broken
    if not opened.eof:
        raise BillCorrupt("the bill is cut short, or larger than any day's; ask again")
    return raw


def read_trades(raw: bytes) -> Iterator[BillRow]:
    """The payments and refunds of a trade bill; its last two lines must agree with them."""
    paid = given_back = count = 0
    rows = list(_table(raw, BillKind.TRADE))
    body, (total,) = rows[:-1], rows[-1:]
    for row in body:
        count += 1
        at_us = wall_us(_cell(row, "交易时间"), zone=BEIJING)
        refund = row.get("交易状态") in ("REFUND", "REVOKED")
        currency = row.get("货币种类") or "CNY"
        fee = _minor(_cell(row, "手续费"))
        if refund:
            amount = _minor(_cell(row, "退款金额")) + _minor(row.get("充值券退款金额") or "0")
            given_back += amount
            yield BillRow(
                kind=Kind.REFUND,
                our_ref=_cell(row, "商户订单号"),
                provider_ref=_cell(row, "微信退款单号"),
                refund_ref=_cell(row, "商户退款单号"),
                amount_minor=-amount,
                fee_minor=fee,
                currency=currency,
                occurred_at_us=at_us,
                state=State.SUCCEEDED if row.get("退款状态") == "SUCCESS" else State.PENDING,
            )
        else:
            amount = _minor(_cell(row, "应结订单金额"))
            paid += amount
            yield BillRow(
                kind=Kind.PAYMENT,
                our_ref=_cell(row, "商户订单号"),
                provider_ref=_cell(row, "微信订单号"),
                amount_minor=amount,
                fee_minor=fee,
                currency=currency,
                occurred_at_us=at_us,
            )
    told = (
        int(_cell(total, "总交易单数")),
        _minor(_cell(total, "应结订单总金额")),
        _minor(_cell(total, "退款总金额")) + _minor(total.get("充值券退款总金额") or "0"),
    )
    if told != (count, paid, given_back):
        raise BillCorrupt("the bill's rows and its own last line differ; ask again")


def read_funds(raw: bytes) -> Iterator[BillRow]:
    """What moved the merchant's account: income, refunds, and the fees between gross and net."""
    rows = list(_table(raw, BillKind.FUNDS))
    body, total = rows[:-1], rows[-1]
    if int(_cell(total, "资金流水总笔数")) != len(body):
        raise BillCorrupt("the bill's rows and its own last line differ; ask again")
    for row in body:
        amount = _minor(_cell(row, "收支金额（元）")) * (1 if row.get("收支类型") == "收入" else -1)
        word = row.get("业务类型") or ""
        fee = word in _FEES
        yield BillRow(
            kind=Kind.REFUND if word == "退款" else Kind.PAYMENT,
            our_ref=row.get("业务凭证号") or "",
            provider_ref=_cell(row, "微信支付业务单号"),
            amount_minor=0 if fee else amount,
            fee_minor=-amount if fee else 0,
            currency="CNY",
            occurred_at_us=wall_us(_cell(row, "记账时间"), zone=BEIJING),
        )


def _table(raw: bytes, kind: BillKind) -> Iterator[Mapping[str, str]]:
    """The rows under the first header, then the one under the summary's."""
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as broken:
        raise BillCorrupt("the bill is not text; ask again") from broken
    head: list[str] = []
    summed = False
    for cells in csv.reader(text.splitlines()):
        if not cells:
            continue
        clean = [cell.removeprefix("`").strip() for cell in cells]
        if not head or clean[0] == _SUMMARY[kind]:
            summed = bool(head)
            head = clean
        elif len(clean) != len(head):
            raise BillCorrupt("a row of the bill has not as many cells as its header; ask again")
        else:
            yield dict(zip(head, clean, strict=True))
    if not summed:
        raise BillCorrupt("the bill ends before its last line; ask again")


def _cell(row: Mapping[str, str], name: str) -> str:
    found = row.get(name)
    if not found:
        raise BillCorrupt(f"a row of the bill has no {name}; ask again")
    return found


def _minor(yuan: str) -> int:
    try:
        return minor_from_text(yuan, digits=2)
    except ValueError as wrong:
        raise BillCorrupt(f"an amount of the bill cannot be read: {wrong}") from wrong
