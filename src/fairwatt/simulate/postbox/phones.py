"""SMS providers as they are: each checks the signature by its own book, written apart from those who sign."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, parse_qsl, quote, unquote, urlsplit

from fairwatt.simulate.postbox.world import Arrived, World


@dataclass(frozen=True)
class Asked:
    """A request as it came."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True)
class Told:
    """An answer."""

    status: int
    content: dict[str, Any]


def answer(world: World, asked: Asked) -> Told | None:
    """What the provider that is asked says; None where nobody is."""
    if "x-acs-action" in asked.headers:
        return _aliyun(world, asked)
    if "x-tc-action" in asked.headers:
        return _tencent(world, asked)
    if asked.path.startswith("/2010-04-01/Accounts/"):
        return _twilio(world, asked)
    if asked.path.startswith("/cgi-bin/"):
        return _wechat(world, asked)
    return None


# --- Alibaba -------------------------------------------------------------------------------------------------


def _aliyun(world: World, asked: Asked) -> Told:
    said = dict(
        part.strip().split("=", 1) for part in asked.headers["authorization"].split(" ", 1)[1].split(",")
    )
    signed = said["SignedHeaders"].split(";")
    query = urlsplit(asked.path).query
    pairs = sorted(
        (quote(name, safe="~"), quote(value, safe="~"))
        for name, value in parse_qsl(query, keep_blank_values=True)
    )
    canonical = (
        f"{asked.method}\n/\n"
        + "&".join("=".join(pair) for pair in pairs)
        + "\n"
        + "".join(f"{name}:{asked.headers[name].strip()}\n" for name in signed)
        + f"\n{';'.join(signed)}\n{hashlib.sha256(asked.body).hexdigest()}"
    )
    text = "ACS3-HMAC-SHA256\n" + hashlib.sha256(canonical.encode()).hexdigest()
    mark = hmac.new(world.secrets["aliyun"].encode(), text.encode(), "sha256").hexdigest()
    must = {
        "host",
        "x-acs-action",
        "x-acs-version",
        "x-acs-date",
        "x-acs-signature-nonce",
        "x-acs-content-sha256",
    }
    if mark != said["Signature"] or not must <= set(signed) or asked.headers["x-acs-version"] != "2017-05-25":
        world.refused["aliyun"] += 1
        return Told(400, {"Code": "SignatureDoesNotMatch", "Message": "the signature is another"})
    given = dict(parse_qsl(query, keep_blank_values=True))
    if asked.headers["x-acs-action"] == "QuerySendDetails":
        rows = [
            {"OutId": one.ref, "SendStatus": 1, "PhoneNum": one.to, "ErrCode": ""}
            for one in world.arrived
            if one.provider == "aliyun" and one.to == given["PhoneNumber"]
        ]
        return Told(
            200, {"Code": "OK", "TotalCount": len(rows), "SmsSendDetailDTOs": {"SmsSendDetailDTO": rows}}
        )
    words = json.loads(given["TemplateParam"])
    number = world.number("BIZ")
    text = f"【{given['SignName']}】{given['TemplateCode']} " + " ".join(
        str(value) for value in words.values()
    )
    world.take(
        Arrived(
            channel="sms",
            provider="aliyun",
            to=given["PhoneNumbers"],
            subject="",
            text=text,
            ref=given["OutId"],
            provider_ref=number,
        )
    )
    return Told(200, {"Code": "OK", "Message": "OK", "BizId": number, "RequestId": number})


# --- Tencent -------------------------------------------------------------------------------------------------


def _tencent(world: World, asked: Asked) -> Told:
    head = asked.headers["authorization"]
    scope = head.split("Credential=")[1].split(",")[0].split("/", 1)[1]
    names = head.split("SignedHeaders=")[1].split(",")[0]
    said = head.split("Signature=")[1]
    values = {**asked.headers, "x-tc-action": asked.headers["x-tc-action"].lower()}
    canonical = "\n".join(
        [
            *(asked.method, "/", ""),
            "".join(f"{name}:{values[name]}\n" for name in names.split(";")),
            names,
            hashlib.sha256(asked.body).hexdigest(),
        ]
    )
    stamp = asked.headers["x-tc-timestamp"]
    day = time.strftime("%Y-%m-%d", time.gmtime(int(stamp)))
    text = (
        f"TC3-HMAC-SHA256\n{stamp}\n{day}/sms/tc3_request\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    )
    key = b"TC3" + world.secrets["tencent"].encode()
    for part in (day, "sms", "tc3_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    if hmac.new(key, text.encode(), hashlib.sha256).hexdigest() != said or scope != f"{day}/sms/tc3_request":
        world.refused["tencent"] += 1
        error = {"Code": "AuthFailure.SignatureFailure", "Message": "the signature is another"}
        return Told(200, {"Response": {"Error": error, "RequestId": "1"}})
    content = json.loads(asked.body)
    number = world.number("SN")
    world.take(
        Arrived(
            channel="sms",
            provider="tencent",
            to=content["PhoneNumberSet"][0],
            subject="",
            text=f"【{content['SignName']}】{content['TemplateId']} " + " ".join(content["TemplateParamSet"]),
            ref=content["SessionContext"],
            provider_ref=number,
        )
    )
    status = {
        "SerialNo": number,
        "PhoneNumber": content["PhoneNumberSet"][0],
        "Code": "Ok",
        "Message": "send success",
    }
    return Told(200, {"Response": {"SendStatusSet": [status], "RequestId": "1"}})


# --- Twilio --------------------------------------------------------------------------------------------------


def _twilio(world: World, asked: Asked) -> Told:
    account = unquote(asked.path.split("/")[3])
    expected = base64.b64encode(f"{account}:{world.secrets['twilio']}".encode()).decode()
    if asked.headers.get("authorization") != f"Basic {expected}":
        world.refused["twilio"] += 1
        return Told(401, {"code": 20003, "message": "Authenticate", "status": 401})
    if asked.method == "GET":
        to = parse_qs(urlsplit(asked.path).query)["To"][0]
        rows = [
            {
                "sid": one.provider_ref,
                "body": one.text,
                "to": one.to,
                "status": "sent",
                "direction": "outbound-api",
            }
            for one in world.arrived
            if one.provider == "twilio" and one.to == to
        ]
        return Told(200, {"messages": rows})
    form = dict(parse_qsl(asked.body.decode()))
    if not form["To"].startswith("+"):
        return Told(400, {"code": 21211, "message": "Invalid 'To' Phone Number", "status": 400})
    number = world.number("SM")
    world.take(
        Arrived(
            channel="sms",
            provider="twilio",
            to=form["To"],
            subject="",
            text=form["Body"],
            ref=form.get("StatusCallback", ""),
            provider_ref=number,
        )
    )
    return Told(201, {"sid": number, "status": "queued", "body": form["Body"]})


# --- WeChat --------------------------------------------------------------------------------------------------


def _wechat(world: World, asked: Asked) -> Told:
    content = json.loads(asked.body)
    if asked.path.startswith("/cgi-bin/stable_token"):
        if content["secret"] != world.secrets["wechat"]:
            world.refused["wechat"] += 1
            return Told(200, {"errcode": 40125, "errmsg": "invalid appsecret"})
        world.tokens += 1
        return Told(200, {"access_token": f"token-{world.tokens}", "expires_in": 7200})
    token = parse_qs(urlsplit(asked.path).query)["access_token"][0]
    # The first token has lapsed by the time it is used: a sender has to ask for another one.
    if token == "token-1":  # noqa: S105
        return Told(200, {"errcode": 42001, "errmsg": "access_token expired"})
    known = [
        one
        for one in world.arrived
        if one.provider == "wechat" and one.ref == content.get("client_msg_id", "-")
    ]
    number = known[0].provider_ref if known else str(int(world.number("")))
    if not known:
        text = " ".join(field["value"] for field in content["data"].values())
        world.take(
            Arrived(
                channel="wechat",
                provider="wechat",
                to=content["touser"],
                subject=content["template_id"],
                text=text,
                ref=content.get("client_msg_id", ""),
                provider_ref=number,
            )
        )
    return Told(200, {"errcode": 0, "errmsg": "ok", "msgid": int(number)})
