"""The gateway's own bus reads every model that is asked, over a real socket; and it carries only what it needs."""

from __future__ import annotations

import asyncio
import subprocess
import sys

import pytest

from drivers.test_contract import MODELS, device, steps
from fairwatt.edge.bus import Bus
from fairwatt.edge.config import BusConfig, MeterConfig
from fairwatt.edge.meters import MeterPoint
from fairwatt.simulate.meters.line import Line


@pytest.mark.parametrize("key", MODELS)
def test_the_gateway_reads_every_model_over_a_socket(key: str) -> None:
    async def story() -> int:
        say = device(key, steps(key, 77))
        async with Line(answer=lambda heard: (say(heard), len(heard))) as line:
            meter = MeterConfig(number=1, address=MODELS[key].address, profile=key, password="02123456")
            config = BusConfig(name="line", host="127.0.0.1", port=line.port, meters=(meter,))
            bus = Bus(config=config)
            try:
                point = MeterPoint(config=meter, bus=bus, zone="Asia/Shanghai")
                return (await bus.ask(point.driver.read_register())).total_wh
            finally:
                bus.close()

    assert asyncio.run(story()) == steps(key, 77)


def test_a_gateway_of_one_protocol_carries_no_other() -> None:
    program = """
import sys
from fairwatt.edge import agent
from fairwatt.drivers.profile import load_profile
from fairwatt.drivers.registry import open_meter
open_meter(profile=load_profile(key="dlt645_single_phase"), address="161", zone="UTC")
folders = ("modbus", "mbus", "cjt188", "pulse", "lorawan", "mqttmeter")
print([name for name in folders if f"fairwatt.drivers.{name}" in sys.modules])
print([name for name in ("pymodbus", "meterbus", "django", "numpy") if name in sys.modules])
"""
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert told.stdout.split() == ["[]", "[]"]
