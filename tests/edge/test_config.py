"""edge.toml: read once, checked whole, and every mistake named."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from edge.rig import GATEWAY_KEY, ISSUER
from fairwatt.edge.config import ConfigError
from fairwatt.edge.settings_file import load

TEXT = """
[gateway]
book = "b1"
site = "s1"
id = "gw1"
zone = "Asia/Shanghai"
spool = "state/spool.db"
interval_s = 30

[broker]
host = "127.0.0.1"
port = 1883
password_file = "password"

[keys]
own = "gateway.pem"

[[keys.issuer]]
kid = "01"
public = "issuer.pub"

[[bus]]
name = "line-1"
host = "10.0.0.7"
port = 4196

[[bus.meter]]
number = 100
address = "000000000001"

[[bus.meter]]
number = 101
address = "000000000002"
password = "02123456"
"""


def a_folder(folder: Path, *, text: str = TEXT, mode: int = 0o600) -> Path:
    (folder / "password").write_text("secret\n")
    pem = GATEWAY_KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (folder / "gateway.pem").write_bytes(pem)
    (folder / "gateway.pem").chmod(mode)
    public = ISSUER.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (folder / "issuer.pub").write_bytes(public)
    (folder / "edge.toml").write_text(text)
    return folder / "edge.toml"


def test_a_whole_file_is_read(tmp_path: Path) -> None:
    config = load(a_folder(tmp_path))
    assert (config.gateway, config.interval_s, config.broker.password) == ("gw1", 30, "secret")
    assert config.spool == tmp_path / "state" / "spool.db"
    assert [meter.number for meter in config.buses[0].meters] == [100, 101]
    assert config.kid == b"gw1"
    assert list(config.issuers) == [b"\x01"]
    assert "secret" not in repr(config)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('id = "gw1"', "", "lacks the setting 'id'"),
        ('id = "gw1"', 'id = "g/1"', "part of a topic"),
        ("number = 101", "number = 100", "given twice"),
        ("number = 100", "number = -1", "not in 1"),
        ("interval_s = 30", "interval_s = 0", "at least 1"),
        ("interval_s = 30", "intervall_s = 30", "intervall_s"),
        ("[gateway]", "[gateway", "cannot be read"),
        ("issuer.pub", "nowhere.pub", "nowhere.pub"),
        ('public = "issuer.pub"', 'public = "password"', "no public key in PEM"),
        ('kid = "01"', 'kid = "zz"', "'zz' is not hexadecimal"),
        ("[broker]", "[brokr]\n[broker]", r"no table \[brokr\]"),
        ("port = 1883", 'port = "1883"', r"\[broker\]: port is a whole number"),
        ("port = 1883", "port = 70000", "70000 is no port"),
        ("port = 4196", "", "host needs its port"),
        ("port = 4196", "port = 4196\nbuad = 9600", "bus line-1 has no setting 'buad'"),
        ("port = 4196", "port = 4196\nattempts = true", "attempts is a whole number"),
        ("port = 4196", 'port = 4196\nheartbeats = "FE"', "heartbeats is a list"),
        ("Asia/Shanghai", "Asia/Nowhere", "no time zone 'Asia/Nowhere'"),
        ("number = 101", "", "bus line-1, meter no. 2 lacks the setting 'number'"),
        ('address = "000000000002"', 'address = "1"', "both homes would pay"),
        ('address = "000000000002"', "address = 2", "meter 101: address is text"),
        ('address = "000000000002"', 'address = "2027-X"', "meter 101: .*2027-X"),
        ('password = "02123456"', 'profile = "nomodel"', "nomodel"),
        ('name = "line-1"', "", r"\[\[bus\]\] lacks the setting 'name'"),
    ],
)
def test_a_mistake_is_named_and_nothing_starts(tmp_path: Path, old: str, new: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says) as raised:
        load(a_folder(tmp_path, text=TEXT.replace(old, new)))
    assert "the agent was not started; supply stays as it is" in str(raised.value)
    assert "__init__" not in str(raised.value)


def test_a_bus_without_a_meter_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"bus line-1 has no meter; add a \[\[bus.meter\]\]"):
        load(a_folder(tmp_path, text=TEXT[: TEXT.index("[[bus.meter]]")]))


def test_a_private_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="chmod 600"):
        load(a_folder(tmp_path, mode=0o644))


LISTEN = """
[[listen]]
name = "water"
protocol = "chirpstack"
host = "10.0.0.9"
username = "fairwatt"
password_file = "password"
application = "7"
silent_after_s = 7200

[[listen.meter]]
number = 200
address = "0101010101010101"
profile = "lorawan_water"
"""


def test_meters_that_speak_by_themselves_are_read_also_without_a_bus(tmp_path: Path) -> None:
    (listen,) = load(a_folder(tmp_path, text=TEXT[: TEXT.index("[[bus]]")] + LISTEN)).listens
    assert (listen.port, listen.password, listen.silent_after_s) == (1883, "secret", 7200)
    assert [meter.number for meter in listen.meters] == [200]
    assert "secret" not in repr(listen)


@pytest.mark.parametrize(
    ("line", "instead", "named"),
    [
        ('application = "7"', "", "application"),
        ('protocol = "chirpstack"', 'protocol = "zigbee"', "zigbee"),
        ('profile = "lorawan_water"', 'profile = "mqtt_gas"', "speaks mqtt-meter"),
        ('profile = "lorawan_water"', 'profile = "none"', "no meter profile"),
        ("0101010101010101", "010101", "EUI"),
        ("number = 200", "number = 101", "given twice"),
        ("[[listen]]", LISTEN + "[[listen]]", "given twice|one name"),
    ],
)
def test_a_listen_that_cannot_work_is_refused_by_name(
    tmp_path: Path, line: str, instead: str, named: str
) -> None:
    assert line in LISTEN
    with pytest.raises(ConfigError, match=named):
        load(a_folder(tmp_path, text=TEXT + LISTEN.replace(line, instead, 1)))
