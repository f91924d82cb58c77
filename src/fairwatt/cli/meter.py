"""`fairwatt meter`: what a meter said, in words; and our codecs against frames that others wrote down."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from fairwatt.cli.files import read_text
from fairwatt.drivers.cjt188.explain import explain as explain_cjt188
from fairwatt.drivers.dlt645.conform import Report, conform
from fairwatt.drivers.dlt645.explain import explain
from fairwatt.drivers.lorawan.explain import explain as explain_chirpstack
from fairwatt.drivers.mbus.explain import explain as explain_mbus
from fairwatt.drivers.modbus.explain import explain as explain_modbus
from fairwatt.drivers.mqttmeter.explain import explain as explain_mqtt_meter
from fairwatt.server.errors import BadInput

app = typer.Typer(
    no_args_is_help=True,
    help="Meters' own words. Example: fairwatt meter decode --protocol dlt645 68AAAAAAAAAAAA681300DF16",
)

BYTES_MAX: Final = 5_000_000
type Piece = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Speaker:
    """What the command can do with one protocol."""

    decode: Callable[[bytes], list[Piece]]
    """From the bytes of a recording to its pieces (`kind`, `title`, `fields` of name, value, unit, note)."""
    conform: Callable[[list[Any]], Report] | None = None
    """From the entries of a file of vectors to what passed."""
    is_text: bool = False
    """A recording is text (JSON), not bytes written in hexadecimal."""


PROTOCOLS: Final[dict[str, Speaker]] = {
    "dlt645": Speaker(
        decode=lambda data: explain(data=data), conform=lambda entries: conform(entries=entries)
    ),
    "modbus": Speaker(decode=lambda data: explain_modbus(data=data)),
    "mbus": Speaker(decode=lambda data: explain_mbus(data=data)),
    "cjt188": Speaker(decode=lambda data: explain_cjt188(data=data)),
    "chirpstack": Speaker(decode=lambda data: explain_chirpstack(data=data), is_text=True),
    "mqtt-meter": Speaker(decode=lambda data: explain_mqtt_meter(data=data), is_text=True),
}
Protocol = Annotated[str, typer.Option("--protocol", "-p", help=f"One of: {', '.join(PROTOCOLS)}.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.callback()
def meter() -> None:
    """Meters' own words, explained; codecs against other people's frames. Exit code 0, 1 or 2."""


@app.command()
def decode(
    recording: Annotated[str, typer.Argument(help="Hexadecimal bytes, or a file of them.")],
    protocol: Protocol,
    as_json: AsJson = False,
) -> None:
    """Explain a recording of a line: each frame and field, and what is damaged or noise.

    Example: fairwatt meter decode --protocol dlt645 "68 72 00 32 09 17 20 68 91 08 33 33 34 33 B9 34 33 33 6D 16"
    Example: fairwatt meter decode --protocol modbus "01 04 04 41 45 70 A4 DA 16" --json
    Example: fairwatt meter decode --protocol chirpstack event.json
    Exit code 0: frames were found and all are whole. 1: something is damaged or nothing is a frame. 2: bad input.
    """
    speaker = _speaker(protocol)
    pieces = speaker.decode(_recorded(recording, is_text=speaker.is_text))
    if as_json:
        typer.echo(json.dumps(pieces, ensure_ascii=False))
    else:
        for piece in pieces:
            _tell(piece)
        if not pieces:
            typer.echo("nothing was recorded")
    whole = any(piece["kind"] == "frame" for piece in pieces)
    broken = any("why" in piece for piece in pieces)
    raise typer.Exit(0 if whole and not broken else 1)


@app.command("conform")
def conform_file(
    file: Annotated[Path, typer.Argument(help="JSON: a list of frames with their fields.")],
    protocol: Protocol,
    as_json: AsJson = False,
) -> None:
    """Encode every entry of a file from its fields and decode it from its bytes; compare both ways.

    Example: fairwatt meter conform --protocol dlt645 frames.json --json
    Exit code 0: every entry passed both ways. 1: one did not. 2: the file cannot be used.
    """
    speaker = _speaker(protocol)
    if speaker.conform is None:
        able = ", ".join(name for name, one in PROTOCOLS.items() if one.conform is not None)
        raise BadInput(f"There are no vectors to compare for {protocol}. Nothing was compared; take {able}.")
    report = speaker.conform(_entries(file))
    told = asdict(report)
    if as_json:
        typer.echo(json.dumps(told, ensure_ascii=False))
    else:
        typer.echo(f"{report.vectors} vectors: {report.encoded_ok} encoded, {report.decoded_ok} decoded")
        for one in report.failed:
            typer.echo(f"failed: entry {one.entry} {one.name!r}, {one.direction}: {one.why}")
            if one.expected or one.got:
                typer.echo(f"        expected {one.expected}\n        got      {one.got}")
        if report.not_compared:
            typer.echo(f"not compared, no meaning known: {', '.join(report.not_compared)}")
    raise typer.Exit(1 if report.failed else 0)


def _speaker(protocol: str) -> Speaker:
    if protocol not in PROTOCOLS:
        raise BadInput(
            f"No decoder speaks {protocol!r}. Nothing was read; take one of {', '.join(PROTOCOLS)}."
        )
    return PROTOCOLS[protocol]


def _recorded(recording: str, *, is_text: bool) -> bytes:
    """Take bytes from the command line or from a file: hexadecimal, or raw as a line's recorder wrote them."""
    is_file = _is_file(recording)
    if is_file and not is_text and (raw := _raw(Path(recording))) is not None:
        return raw
    text = read_text(Path(recording), bytes_max=BYTES_MAX) if is_file else recording
    if is_text:
        if not is_file and "{" not in text and ("." in text or "/" in text):
            raise BadInput(
                f"There is no file {text[:80]}. Nothing was read; name one, or give the message itself."
            )
        return text.encode()
    lines = "".join(line.partition("#")[0] for line in text.splitlines())
    for between in ("0x", ",", ":", "-"):
        lines = lines.replace(between, "")
    try:
        return bytes.fromhex("".join(lines.split()))
    except ValueError as error:
        what = f"{recording} holds" if is_file else "This is"
        raise BadInput(
            f"{what} no bytes in hexadecimal ({error}){'' if is_file else ', and no such file is there'}. Nothing "
            "was read; give pairs of digits 0-9 A-F, or the name of a file of them."
        ) from error


def _raw(file: Path) -> bytes | None:
    """Return a file's bytes when they are no text."""
    try:
        with file.open("rb") as opened:
            content = opened.read(BYTES_MAX + 1)
    except OSError:
        return None  # reading it as text says what is wrong
    try:
        is_text = all(char in "\t\n\r" or char.isprintable() for char in content.decode("utf-8-sig"))
    except UnicodeDecodeError:
        is_text = False
    return None if is_text or len(content) > BYTES_MAX else content


def _is_file(recording: str) -> bool:
    try:
        return Path(recording).is_file()
    except (OSError, ValueError):
        return False


def _entries(file: Path) -> list[Any]:
    try:
        # Exact decimals: 1.26 must not pass through binary fractions.
        entries = json.loads(read_text(file), parse_float=Decimal)
    except (json.JSONDecodeError, RecursionError) as error:
        raise BadInput(f"{file} is not JSON: {error}. Nothing was compared; export it again.") from error
    if not isinstance(entries, list):
        raise BadInput(f"{file} holds no list of frames. Nothing was compared; put the entries into [ ].")
    return entries


def _tell(piece: Piece) -> None:
    head = f"@{piece.get('at', 0):<5} {piece['kind']:<8}"
    if "title" not in piece:
        typer.echo(f"{head} {piece['hex']}{'  ' + piece['why'] if 'why' in piece else ''}")
        return
    whom = f"{piece.get('to', '')} {piece.get('address', '')}".strip()
    typer.echo(f"{head} {piece['title']}, {whom}")
    if "identifier" in piece:
        typer.echo(f"       {piece['identifier']} {piece.get('item', '')}".rstrip())
    for field in piece["fields"]:
        value = "none" if field["value"] is None else field["value"]
        note = f"  ({field['note']})" if "note" in field else ""
        shown = f"{value} {field.get('unit', '')}".strip()
        typer.echo(f"         {field['name']:<34} {field.get('bytes', ''):<16} {shown}{note}")
    if "why" in piece:
        typer.echo(f"       {piece['why']}")
