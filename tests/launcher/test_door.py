"""The MQTT door: who may come in, and what they may say and hear."""

import asyncio
from typing import Any

import aiomqtt
import nats
import pytest

from fairwatt.server.launcher.nats import BadGatewayLogin, GatewayLogin, door_password
from fairwatt.server.launcher.services import Services


def login(services: Services, gateway: str) -> GatewayLogin:
    password = door_password(services.config, gateway=gateway)
    return GatewayLogin(book="7", site="north", gateway=gateway, password=password)


def client(
    services: Services, gateway: str | None, password: str | None = None, **more: Any
) -> aiomqtt.Client:
    host, port = services.config.mqtt_address()
    if gateway is not None and password is None:
        password = login(services, gateway).password
    return aiomqtt.Client(host, port, username=gateway, password=password, identifier=gateway, **more)


def test_a_gateway_speaks_on_its_own_topic_and_on_no_other(running: Services) -> None:
    running.set_gateways([login(running, "gw1"), login(running, "gw2")])

    async def scene() -> list[str]:
        backend = await nats.connect(running.config.backbone_url())
        heard = await backend.subscribe("fw.>")
        await backend.flush()
        async with client(running, "gw1") as gateway:
            await gateway.publish("fw/v1/7/north/gw2/up", b"forged", qos=1)
            await gateway.publish("fw/v1/7/north/gw1/up", b"own", qos=1)
        subjects = [(await heard.next_msg(timeout=5)).subject]
        with pytest.raises(nats.errors.TimeoutError):
            await heard.next_msg(timeout=0.2)
        await backend.close()
        return subjects

    assert asyncio.run(scene()) == ["fw.v1.7.north.gw1.up"]


def test_a_gateway_hears_its_own_orders_and_is_refused_those_of_others(running: Services) -> None:
    running.set_gateways([login(running, "gw1"), login(running, "gw2")])

    async def scene() -> bytes:
        backend = await nats.connect(running.config.backbone_url())
        async with client(running, "gw1") as gateway:
            await gateway.subscribe("fw/v1/7/north/gw1/down", qos=1)
            refused = await gateway.subscribe("fw/v1/7/north/gw2/down", qos=1)
            assert [code.value for code in refused] == [0x80]
            await backend.publish("fw.v1.7.north.gw2.down", b"for another")
            await backend.publish("fw.v1.7.north.gw1.down", b"for me")
            async for message in gateway.messages:
                await backend.close()
                assert isinstance(message.payload, bytes)
                return message.payload
        raise AssertionError("the link closed before the order came")

    assert asyncio.run(asyncio.wait_for(scene(), 10)) == b"for me"


@pytest.mark.parametrize(("gateway", "password"), [(None, None), ("gw1", "wrong"), ("stranger", "x" * 32)])
def test_nobody_comes_in_without_the_right_password(
    running: Services, gateway: str | None, password: str | None
) -> None:
    running.set_gateways([login(running, "gw1")])

    async def knock() -> None:
        async with client(running, gateway, password, timeout=5):
            pass

    with pytest.raises(aiomqtt.MqttError, match=r"[Nn]ot authorized"):
        asyncio.run(knock())


def test_the_head_ends_own_login_is_no_key_to_the_mqtt_door(running: Services) -> None:
    secret = running.config.secrets.require("nats_backend")

    async def knock() -> None:
        async with client(running, "backend", secret, timeout=5):
            pass

    with pytest.raises(aiomqtt.MqttError):
        asyncio.run(knock())


def test_a_new_gateway_is_let_in_without_disturbing_the_others_and_a_removed_one_is_put_out(
    running: Services,
) -> None:
    running.set_gateways([login(running, "gw1"), login(running, "gw2")])

    async def scene() -> None:
        async with client(running, "gw1") as stays:
            async with client(running, "gw2") as goes:
                assert running.set_gateways([login(running, "gw1"), login(running, "gw3")])
                with pytest.raises(aiomqtt.MqttError):
                    async with asyncio.timeout(5):
                        async for _ in goes.messages:
                            pass
            async with client(running, "gw3"):
                pass
            await stays.publish("fw/v1/7/north/gw1/up", b"still here", qos=1, timeout=5)

    asyncio.run(scene())
    assert not running.set_gateways([login(running, "gw1"), login(running, "gw3")])


def test_gateways_are_still_known_after_the_backbone_was_killed(running: Services) -> None:
    running.set_gateways([login(running, "gw1")])
    running.kill("nats")
    running.wait_ready("nats")

    async def knock() -> None:
        async with client(running, "gw1") as gateway:
            await gateway.publish("fw/v1/7/north/gw1/up", b"again", qos=1, timeout=5)

    asyncio.run(knock())


@pytest.mark.parametrize("name", ["a.b", "a/b", "a b", "#", "", 'x"'])
def test_a_name_that_would_widen_a_gateways_rights_is_refused(name: str) -> None:
    with pytest.raises(BadGatewayLogin):
        GatewayLogin(book="7", site="north", gateway=name, password="x" * 32)


def test_two_gateways_of_one_name_are_refused_and_the_door_stays_as_it_was(running: Services) -> None:
    before = (running.config.state / "nats" / "accounts.conf").read_text()
    twin = GatewayLogin(book="8", site="south", gateway="gw1", password="y" * 32)
    with pytest.raises(BadGatewayLogin, match="gw1"):
        running.set_gateways([login(running, "gw1"), twin])
    assert (running.config.state / "nats" / "accounts.conf").read_text() == before
