"""Each sender speaks its provider's real protocol to a server that checks it with code of its own."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import http_ece
import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from fairwatt.core.notices.model import State
from fairwatt.notifier.carrier import Carrier, NoAnswer, post
from fairwatt.notifier.lines import BadLines, read_lines
from fairwatt.notify.contract import BadAccount, BadReport, CannotSay, Letter, Moment, Outcome, Receipt
from fairwatt.notify.mail import Mail
from fairwatt.notify.registry import SENDERS, sender_of
from fairwatt.notify.webpush import WebPush
from fairwatt.simulate.postbox import Postbox
from fairwatt.simulate.postbox.phones import Asked

NOW = Moment(now_us=1_795_257_600_000_000, nonce="a1b2c3")
SECRETS = {"aliyun": "al-secret", "tencent": "te-secret", "twilio": "tw-token", "wechat": "we-secret"}
TEMPLATES = {"zh-hans": {"low": {"code": "SMS_1001", "words": ["home", "balance"]}}}
SETTINGS: dict[str, dict[str, Any]] = {
    "aliyun": {
        "access_key": "LTAI",
        "access_secret": "al-secret",
        "sign_name": "枫林物业",
        "templates": TEMPLATES,
    },
    "tencent": {
        "secret_id": "AKID",
        "secret_key": "te-secret",
        "app_id": "1400",
        "sign_name": "枫林",
        "templates": TEMPLATES,
    },
    "twilio": {"account_sid": "AC1", "auth_token": "tw-token", "sender": "+15005550006"},
    "wechat": {
        "app_id": "wx1",
        "app_secret": "we-secret",
        "token": "verify",
        "templates": {"zh-hans": {"low": {"code": "T1", "words": {"home": "thing1", "balance": "amount2"}}}},
    },
}
LETTER = Letter(
    ref="0123456789abcdef0123456789abcdef",
    step="low",
    language="zh-hans",
    address="+8613800000001",
    subject="余额不足",
    body="枫林苑 3-1-502 余额不足，剩余 ¥12.40。",
    link="https://pay.example/n/1/",
    made_us=NOW.now_us,
    params={"home": "枫林苑 3-1-502", "balance": "¥12.40"},
)


@pytest.fixture(scope="module")
def browser() -> dict[str, Any]:
    """A browser's keys, and what its push service got."""
    key = ec.generate_private_key(ec.SECP256R1())
    return {"key": key, "auth": b"0123456789abcdef", "got": [], "status": 201}


@pytest.fixture(scope="module")
def box(browser: dict[str, Any]) -> Iterator[Postbox]:
    def pushed(asked: Asked) -> int:
        browser["got"].append(asked)
        return int(browser["status"])

    with Postbox(secrets=SECRETS, pushed=pushed) as opened:
        yield opened


@pytest.fixture
def carrier() -> Iterator[Carrier]:
    carrier = Carrier()
    yield carrier
    carrier.close()


def speaker(kind: str, box: Postbox, **changes: Any) -> Any:
    return sender_of(kind=kind, settings={**SETTINGS[kind], "endpoint": box.url, **changes})


@pytest.mark.parametrize("kind", ["aliyun", "tencent", "twilio", "wechat"])
def test_each_short_message_is_signed_as_its_provider_checks(
    kind: str, box: Postbox, carrier: Carrier
) -> None:
    outcome = carrier.carry(speaker(kind, box).deliver(letter=LETTER, at=NOW))
    arrived = box.world.arrived[-1]
    assert (outcome.state, outcome.provider_ref) == (State.SENT, arrived.provider_ref)
    assert "枫林苑 3-1-502" in arrived.text
    assert kind == "twilio" or arrived.ref == LETTER.ref
    wrong = {
        "aliyun": "access_secret",
        "tencent": "secret_key",
        "twilio": "auth_token",
        "wechat": "app_secret",
    }[kind]
    count = len(box.world.arrived)
    refused = carrier.carry(speaker(kind, box, **{wrong: "another"}).deliver(letter=LETTER, at=NOW))
    # A wrong key is the line's trouble: other messages would fail as well, this one may be tried later.
    assert (refused.state, refused.line, len(box.world.arrived)) == (State.QUEUED, True, count)
    assert box.world.refused[kind] == 1


@pytest.mark.parametrize("kind", ["aliyun", "twilio"])
def test_a_provider_is_asked_what_it_took(kind: str, box: Postbox, carrier: Carrier) -> None:
    letter = Letter(
        **{name: getattr(LETTER, name) for name in Letter.__slots__}
        | {"ref": "f" * 32, "body": f"new {kind}"}
    )
    sender = speaker(kind, box)
    assert carrier.carry(sender.look_up(letter=letter, since_us=NOW.now_us - 1, at=NOW)) is None
    box.world.faults.deaf = 1
    with pytest.raises(NoAnswer) as lost:
        carrier.carry(sender.deliver(letter=letter, at=NOW))
    assert lost.value.asked
    found = carrier.carry(sender.look_up(letter=letter, since_us=NOW.now_us - 1, at=NOW))
    assert found is not None
    assert found.state is State.SENT


def test_a_busy_provider_is_tried_later_and_a_missing_template_never(box: Postbox, carrier: Carrier) -> None:
    box.world.faults.sick = 1
    assert carrier.carry(speaker("aliyun", box).deliver(letter=LETTER, at=NOW)) == Outcome(
        State.QUEUED, code="http_503", line=True
    )
    with pytest.raises(CannotSay):
        carrier.carry(speaker("aliyun", box, templates={}).deliver(letter=LETTER, at=NOW))


def test_a_letter_reaches_its_mailbox_whole(box: Postbox) -> None:
    mail = Mail(
        {
            "host": "127.0.0.1",
            "port": box.smtp_port,
            "security": "none",
            "sender": "Maple <power@maple.example>",
        }
    )
    letter = Letter(
        **{name: getattr(LETTER, name) for name in Letter.__slots__} | {"address": "lin@home.example"}
    )
    assert post(mail=mail, letter=letter, at=NOW).state is State.SENT
    arrived = box.world.arrived[-1]
    assert (arrived.to, arrived.subject, arrived.text, arrived.ref) == (
        "lin@home.example",
        LETTER.subject,
        LETTER.body,
        LETTER.ref,
    )
    for bad in ("lin@home.example\nBcc: all@x.example", "no address", "a@b.example,c@d.example"):
        sly = Letter(**{name: getattr(LETTER, name) for name in Letter.__slots__} | {"address": bad})
        with pytest.raises(CannotSay):
            mail.compose(letter=sly, at=NOW)
    with pytest.raises(BadAccount, match="encrypted"):
        Mail({"host": "mail.example", "security": "none", "sender": "a@b.example"})


def test_a_push_is_read_by_the_browser_it_was_meant_for(
    box: Postbox, carrier: Carrier, browser: dict[str, Any]
) -> None:
    ours = ec.generate_private_key(ec.SECP256R1())
    private = b64(ours.private_numbers().private_value.to_bytes(32))
    sender = WebPush({"private": private, "subject": "mailto:ops@maple.example", "loopback": True})
    point = (
        browser["key"]
        .public_key()
        .public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
    )
    details = {"p256dh": b64(point), "auth": b64(browser["auth"])}
    letter = Letter(
        **{name: getattr(LETTER, name) for name in Letter.__slots__}
        | {"address": f"{box.url}/push/1", "details": details}
    )
    assert carrier.carry(sender.deliver(letter=letter, at=NOW)).state is State.SENT
    got = browser["got"][-1]
    plain = http_ece.decrypt(
        got.body, private_key=browser["key"], auth_secret=browser["auth"], version="aes128gcm"
    )
    assert json.loads(plain)["body"] == LETTER.body
    with pytest.raises(http_ece.ECEException):
        http_ece.decrypt(
            got.body,
            private_key=ec.generate_private_key(ec.SECP256R1()),
            auth_secret=browser["auth"],
            version="aes128gcm",
        )
    _check_vapid(got.headers["authorization"], box.url, sender.public)
    assert got.headers["topic"] == LETTER.ref
    browser["status"] = 410
    gone = carrier.carry(sender.deliver(letter=letter, at=NOW))
    assert (gone.state, gone.gone) == (State.FAILED, True)


def _check_vapid(head: str, audience: str, public: str) -> None:
    given = dict(part.split("=", 1) for part in head.removeprefix("vapid ").split(", "))
    text, _, mark = given["t"].rpartition(".")
    raw = unb64(mark)
    key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), unb64(given["k"]))
    signature = encode_dss_signature(int.from_bytes(raw[:32]), int.from_bytes(raw[32:]))
    key.verify(signature, text.encode(), ec.ECDSA(hashes.SHA256()))
    claims = json.loads(unb64(text.split(".")[1]))
    assert (claims["aud"], given["k"]) == (audience, public)
    assert 0 < claims["exp"] - NOW.now_us // 1_000_000 <= 24 * 3600


def test_a_report_that_is_not_signed_says_nothing() -> None:
    twilio, wechat = (sender_of(kind=kind, settings=SETTINGS[kind]) for kind in ("twilio", "wechat"))
    url = "https://pay.example/n/heard/t"
    form = {"MessageSid": "SM1", "MessageStatus": "delivered", "To": "+1"}
    text = url + "".join(f"{name}{form[name]}" for name in sorted(form))
    mark = base64.b64encode(hmac.new(b"tw-token", text.encode(), hashlib.sha1).digest()).decode()
    body = urlencode(form).encode()
    heard = twilio.hear(url=url, headers={"X-Twilio-Signature": mark}, body=body, at=NOW)  # type: ignore[union-attr]
    assert heard.receipts == (Receipt(State.DELIVERED, "SM1"),)
    for headers, said in (({}, body), ({"X-Twilio-Signature": mark}, body + b"&Extra=1")):
        with pytest.raises(BadReport):
            twilio.hear(url=url, headers=headers, body=said, at=NOW)  # type: ignore[union-attr]
    stamp = str(NOW.now_us // 1_000_000)
    signature = hashlib.sha1("".join(sorted(("verify", stamp, "9"))).encode()).hexdigest()
    xml = b"<xml><Event>TEMPLATESENDJOBFINISH</Event><MsgID>7</MsgID><Status>success</Status></xml>"
    place = f"{url}?timestamp={stamp}&nonce=9&signature="
    heard = wechat.hear(url=place + signature, headers={}, body=xml, at=NOW)  # type: ignore[union-attr]
    assert heard.receipts == (Receipt(State.DELIVERED, "7"),)
    bomb = b'<!DOCTYPE x [<!ENTITY a "aaaa">]><xml><Event>&a;</Event></xml>'
    for bad, body in ((place + "0" * 40, xml), (place + signature, bomb)):
        with pytest.raises((BadReport, ValueError)):
            wechat.hear(url=bad, headers={}, body=body, at=NOW)  # type: ignore[union-attr]


@pytest.mark.parametrize("kind", ["aliyun", "tencent"])
def test_receipts_and_answers_of_the_clouds_are_read(kind: str) -> None:
    sender: Any = sender_of(kind=kind, settings=SETTINGS[kind])
    reports: dict[str, list[dict[str, Any]]] = {
        "aliyun": [
            {
                "phone_number": "13800000001",
                "biz_id": "B1",
                "out_id": "r1",
                "success": True,
                "err_code": "DELIVERED",
            },
            {
                "phone_number": "13800000001",
                "biz_id": "B2",
                "out_id": "r2",
                "success": False,
                "err_code": "MK:0001",
            },
            {"phone_number": "13800000001", "content": "余额", "sequence_id": 5},
        ],
        "tencent": [
            {
                "mobile": "13800000001",
                "nationcode": "86",
                "sid": "B1",
                "report_status": "SUCCESS",
                "errmsg": "DELIVRD",
            },
            {
                "mobile": "13800000001",
                "nationcode": "86",
                "sid": "B2",
                "report_status": "FAIL",
                "errmsg": "MK:0001",
            },
            {"mobile": "13800000001", "nationcode": "86", "text": "余额", "time": 5},
        ],
    }
    heard = sender.hear(url="", headers={}, body=json.dumps(reports[kind]).encode(), at=NOW)
    assert [one.state for one in heard.receipts] == [State.DELIVERED, State.FAILED]
    assert [(one.provider_ref, one.code) for one in heard.receipts][1] == ("B2", "MK:0001")
    assert [one.text for one in heard.inbound] == ["余额"]
    for bad in (b"", b"[1]", b"\xff", b'"x"', b"[[]]"):
        with pytest.raises(BadReport):
            sender.hear(url="", headers={}, body=bad, at=NOW)


def test_a_file_of_lines_is_read_whole_or_refused(tmp_path: Path) -> None:
    path = tmp_path / "notify.toml"
    assert read_lines(path=path, origin="https://x.example").lines == ()
    path.write_text(
        '[[line]]\norganisation = "maple"\nname = "chat"\nkind = "apprise"\nurls = ["json://127.0.0.1:9"]\n'
    )
    path.chmod(0o644)
    with pytest.raises(BadLines, match="0600"):
        read_lines(path=path, origin="")
    path.chmod(0o600)
    assert read_lines(path=path, origin="").lines[0].account == "maple/chat"
    for bad in (
        "[line]",
        '[[line]]\nkind = "x"',
        path.read_text().replace("apprise", "pigeon"),
        path.read_text() * 2,
    ):
        path.write_text(bad)
        with pytest.raises(BadLines):
            read_lines(path=path, origin="")
    assert set(SENDERS) == {"smtp", "aliyun", "tencent", "twilio", "wechat", "webpush"}


def b64(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def unb64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
