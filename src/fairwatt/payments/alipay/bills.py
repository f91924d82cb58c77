"""Alipay's bills: a ZIP of GBK tables with `#` lines around them, amounts in yuan, times of Beijing."""

from __future__ import annotations

import csv
import io
import re
import zipfile
from collections.abc import Iterator, Mapping
from hashlib import sha256
from typing import Final
from urllib.parse import urlsplit

from fairwatt.payments.alipay.signing import AlipayAccount, believed, signed_ask
from fairwatt.payments.amounts import minor_from_text
from fairwatt.payments.clocks import BEIJING, wall_us
from fairwatt.payments.contract import Bill, BillCorrupt, BillKind, BillNotReady, BillRow, Kind
from fairwatt.payments.exchange import (
    DOWNLOAD_S,
    Exchange,
    HttpAsk,
    Moment,
    ProviderRefused,
    ReplyNotBelieved,
)

BYTES_MAX: Final = 256 << 20
_METHOD: Final = "alipay.data.dataservice.bill.downloadurl.query"
_TYPES: Final = {BillKind.TRADE: "trade", BillKind.FUNDS: "signcustomer"}
_NONE_YET: Final = frozenset({"isp.bill_not_exist", "isv.bill_not_exist"})
_PAID: Final = re.compile(r"#交易合计：([0-9]+)笔，商家实收共([0-9.]+)元")
_BACK: Final = re.compile(r"#退款合计：([0-9]+)笔，商家实收退款共-?([0-9.]+)元")


def fetch_bill(account: AlipayAccount, day: str, kind: BillKind, at: Moment) -> Exchange[Bill]:
    """A day's bill, whole; its address is good for 30 seconds."""
    reply = yield signed_ask(account, _METHOD, {"bill_type": _TYPES[kind], "bill_date": day}, at)
    said = believed(account, _METHOD, reply, at)
    if said.maybe("sub_code") in _NONE_YET:
        raise BillNotReady(f"Alipay has no bill of {day} ({said.maybe('sub_code')})")
    if said.maybe("code") != "10000":
        reason = said.maybe("sub_code") or said.maybe("code")
        raise ProviderRefused(f"Alipay refused the bill of {day} ({reason})", reason=reason)
    url = said.text("bill_download_url")
    host, ours = urlsplit(url).hostname or "", urlsplit(account.gateway).hostname or ""
    if host != ours and not host.endswith((".alipay.com", ".alipayobjects.com")):
        raise ReplyNotBelieved("the bill is to be fetched from elsewhere; it was not")
    got = yield HttpAsk(method="GET", url=url, bytes_max=BYTES_MAX, total_s=DOWNLOAD_S)
    if got.status != 200:
        raise BillNotReady(
            f"the bill of {day} could not be downloaded ({got.status}); ask for its address again"
        )
    text = _unzipped(got.body)
    rows = tuple(read_trades(text) if kind is BillKind.TRADE else read_funds(text))
    # Not of the archive: packed anew it has other bytes and says the same.
    return Bill(day=day, kind=kind, rows=rows, raw_sha256=sha256(text.encode()).hexdigest(), raw=got.body)


def _unzipped(body: bytes) -> str:
    """The table of single movements; the file of sums beside it says nothing of its own."""
    try:
        with zipfile.ZipFile(io.BytesIO(body)) as archive:
            found = [one for one in archive.infolist() if one.filename.endswith(".csv")]
            names = [one for one in found if "汇总" not in _name(one)]
            if len(names) != 1 or names[0].file_size > BYTES_MAX:
                raise BillCorrupt("the bill holds not exactly one table of movements; ask again")
            return archive.read(names[0]).decode("gb18030")
    except (zipfile.BadZipFile, UnicodeDecodeError, RuntimeError, OSError) as broken:
        raise BillCorrupt("the bill cannot be unpacked; ask again") from broken


def _name(one: zipfile.ZipInfo) -> str:
    """Alipay writes names in GBK without saying so."""
    if one.flag_bits & 0x800:
        return one.filename
    return one.filename.encode("cp437", "replace").decode("gb18030", "replace")


def read_trades(text: str) -> Iterator[BillRow]:
    """Payments and refunds; the sums in the last lines must agree with them."""
    paid = back = paid_minor = back_minor = 0
    for row in _table(text, first="支付宝交易号"):
        amount = _minor(_cell(row, "商家实收（元）"))
        at_us = wall_us(_cell(row, "完成时间"), zone=BEIJING)
        fee = _minor(row.get("服务费（元）") or "0")
        if row.get("业务类型") == "退款":
            back, back_minor = back + 1, back_minor + abs(amount)
            request = _cell(row, "退款批次号/请求号")
            yield BillRow(
                kind=Kind.REFUND,
                our_ref=_cell(row, "商户订单号"),
                provider_ref=f"{_cell(row, '支付宝交易号')}:{request}",
                refund_ref=request,
                amount_minor=-abs(amount),
                fee_minor=-fee,
                currency="CNY",
                occurred_at_us=at_us,
            )
        else:
            paid, paid_minor = paid + 1, paid_minor + amount
            yield BillRow(
                kind=Kind.PAYMENT,
                our_ref=_cell(row, "商户订单号"),
                provider_ref=_cell(row, "支付宝交易号"),
                amount_minor=amount,
                fee_minor=-fee,
                currency="CNY",
                occurred_at_us=at_us,
            )
    for pattern, told in ((_PAID, (paid, paid_minor)), (_BACK, (back, back_minor))):
        found = pattern.search(text)
        if found is None or (int(found[1]), _minor(found[2])) != told:
            raise BillCorrupt("the bill's rows and its own last lines differ; ask again")


def read_funds(text: str) -> Iterator[BillRow]:
    """What moved the merchant's balance; fees are rows of their own."""
    for row in _table(text, first="账务流水号"):
        amount = _minor(row.get("收入金额（+元）") or "0") - abs(_minor(row.get("支出金额（-元）") or "0"))
        word = row.get("业务类型") or ""
        fee = "收费" in word or "服务费" in word
        yield BillRow(
            kind=Kind.REFUND if "退款" in word or "退费" in word else Kind.PAYMENT,
            our_ref=row.get("商户订单号") or "",
            provider_ref=_cell(row, "业务流水号"),
            amount_minor=0 if fee else amount,
            fee_minor=-amount if fee else 0,
            currency="CNY",
            occurred_at_us=wall_us(_cell(row, "发生时间"), zone=BEIJING),
        )


def _table(text: str, *, first: str) -> Iterator[Mapping[str, str]]:
    head: list[str] = []
    ended = False
    for cells in csv.reader(io.StringIO(text)):
        if not cells:
            continue
        if cells[0].startswith("#"):
            ended = ended or bool(head)
            continue
        clean = [cell.strip() for cell in cells]
        if not head:
            if clean[0] != first:
                raise BillCorrupt(f"the bill's table does not begin with {first}; ask again")
            head = clean
        elif len(clean) < len(head):
            raise BillCorrupt("a row of the bill has not as many cells as its header; ask again")
        else:
            yield dict(zip(head, clean, strict=False))
    if not ended:
        raise BillCorrupt("the bill ends before its last lines; ask again")


def _cell(row: Mapping[str, str], name: str) -> str:
    found = row.get(name)
    if not found:
        raise BillCorrupt(f"a row of the bill has no {name}; ask again")
    return found


def _minor(yuan: str) -> int:
    try:
        return minor_from_text(yuan.removeprefix("+"), digits=2)
    except ValueError as wrong:
        raise BillCorrupt(f"an amount of the bill cannot be read: {wrong}") from wrong
