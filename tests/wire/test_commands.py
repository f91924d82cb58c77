"""Commands and receipts: signed, bound to their purpose, and readable by another COSE implementation."""

import cbor2
import cwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from fairwatt.wire import commands, cose
from fairwatt.wire.commands import (
    Command,
    Grant,
    GrantState,
    Lease,
    Receipt,
    RelayOrder,
    Result,
    SetSupply,
    grant_from_obj,
    grant_to_obj,
)
from fairwatt.wire.errors import BadShape, BadSignature, BadVersion, FrameError, UnknownKey

KEY = Ed25519PrivateKey.from_private_bytes(b"k" * 32)
KEYS = {b"\x01": KEY.public_key()}
GRANT = Grant(
    wallet=9,
    as_of_us=50,
    available_micro=-5,
    state=GrantState(40, 1000, 20, 10, 999, 9_999_999),
    schedule_obj=[1, "CNY"],
    policy_obj=[1, "Asia/Shanghai"],
    protected=False,
    feeds_gateway=True,
    warned_at_us=None,
)
COMMAND = Command(
    meter=7,
    kind=commands.SET_SUPPLY,
    seq=3,
    issued_us=100,
    expires_us=200,
    amount_micro=50_000_000,
    order=b"order-01",
    body=SetSupply(RelayOrder.CLOSED, "credit_returned", GRANT),
)
RECEIPT = Receipt(7, 3, Result.APPLIED, 1, -5, 150, b"12345678")


def a_message(command: Command = COMMAND) -> bytes:
    return commands.sign_command(command=command, key=KEY, kid=b"\x01")


LEASED = GRANT._replace(available_micro=1_500_000, lease=Lease(part_ppm=250_000, wallet_micro=6_000_000))


def test_a_lease_is_one_field_more_and_a_whole_grant_is_what_it_was() -> None:
    whole = "880918322486182819 03e8140a1903e71a0098967f820163434e5982016d417369612f5368616e67686169"
    flags = "a26970726f746563746564f46d66656564735f67617465776179f5f6"
    assert cbor2.dumps(grant_to_obj(GRANT), canonical=True).hex() == whole.replace(" ", "") + flags
    lease = "821a0003d0901a005b8d80"
    leased = cbor2.dumps(grant_to_obj(LEASED), canonical=True).hex()
    assert leased == "89" + whole.replace(" ", "").replace("183224", "18321a0016e360")[2:] + flags + lease


@pytest.mark.parametrize("lease", [[], [1], [1_000_001, 0], [-1, 0], [1, 2, 3], [1, None], 7])
def test_a_lease_of_another_shape_is_refused(lease: object) -> None:
    with pytest.raises(BadShape):
        grant_from_obj([*grant_to_obj(GRANT), lease])


@pytest.mark.parametrize("grant", [None, GRANT, LEASED])
def test_a_command_comes_back_as_it_was_signed(grant: Grant | None) -> None:
    command = COMMAND._replace(body=SetSupply(RelayOrder.OPEN, "balance_empty", grant))
    assert commands.verify_command(message=a_message(command), keys=KEYS) == command


def test_a_receipt_comes_back_as_it_was_signed() -> None:
    message = commands.sign_receipt(receipt=RECEIPT, key=KEY, kid=b"\x01")
    assert commands.verify_receipt(message=message, keys=KEYS) == RECEIPT
    assert len(message) < 115


def test_the_same_command_signs_to_the_same_bytes() -> None:
    assert a_message() == a_message()
    assert commands.hash8(a_message()) == commands.hash8(a_message())


def test_any_changed_bit_is_refused() -> None:
    message = a_message()
    for position in range(len(message)):
        changed = bytearray(message)
        changed[position] ^= 1 << (position % 8)
        with pytest.raises(FrameError):
            commands.verify_command(message=bytes(changed), keys=KEYS)


def test_a_receipt_cannot_be_shown_as_a_command_nor_the_other_way_round() -> None:
    with pytest.raises(BadSignature):
        commands.verify_receipt(message=a_message(), keys=KEYS)
    with pytest.raises(BadSignature):
        commands.verify_command(
            message=commands.sign_receipt(receipt=RECEIPT, key=KEY, kid=b"\x01"), keys=KEYS
        )


def test_an_unknown_key_is_not_a_bad_signature() -> None:
    with pytest.raises(UnknownKey):
        commands.verify_command(message=a_message(), keys={})


def test_other_headers_or_algorithms_are_refused() -> None:
    tag = cbor2.loads(a_message())
    for protected, unprotected in ((b"\xa1\x01\x26", {4: b"\x01"}), (b"\xa1\x01\x27", {4: b"\x01", 1: -8})):
        forged = cbor2.CBORTag(18, [protected, unprotected, tag.value[2], tag.value[3]])
        with pytest.raises(BadShape):
            cose.verify(message=cbor2.dumps(forged, canonical=True), keys=KEYS, domain=cose.COMMAND)


def test_an_independent_cose_library_accepts_our_message() -> None:
    raw = KEY.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    key = cwt.COSEKey.new({1: 1, 2: b"\x01", 3: -8, -1: 6, -2: raw})
    payload = cwt.COSE.new().decode(a_message(), key, external_aad=cose.COMMAND)
    assert payload == commands.encode_command(COMMAND)


def test_we_accept_the_message_of_an_independent_cose_library() -> None:
    raw = KEY.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    key = cwt.COSEKey.new({1: 1, 2: b"\x01", 3: -8, -1: 6, -2: raw, -4: b"k" * 32})
    payload = commands.encode_command(COMMAND)
    message = cwt.COSE.new().encode(
        payload, key, protected={1: -8}, unprotected={4: b"\x01"}, external_aad=cose.COMMAND
    )
    assert commands.verify_command(message=message, keys=KEYS) == COMMAND


@pytest.mark.parametrize(
    "changes",
    [
        {"meter": 0},
        {"seq": 0},
        {"order": b"short"},
        {"amount_micro": 2**63},
        {"kind": 2},
        {"expires_us": True},
    ],
)
def test_a_wrong_field_is_refused_before_it_is_signed(changes: dict[str, object]) -> None:
    with pytest.raises((BadShape, FrameError)):
        commands.encode_command(COMMAND._replace(**changes))  # type: ignore[arg-type]


def test_a_command_of_another_version_is_named_so() -> None:
    with pytest.raises(BadVersion):
        commands.decode_command(cbor2.dumps([2, 1]))


def test_a_top_up_command_without_grant_stays_small() -> None:
    command = COMMAND._replace(
        issued_us=1_700_000_000_000_000,
        expires_us=1_700_000_600_000_000,
        body=SetSupply(RelayOrder.CLOSED, "credit_returned", None),
    )
    assert len(a_message(command)) < 160
