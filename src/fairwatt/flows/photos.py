"""A picture that somebody sends is looked at, and made anew: only its pixels are kept.

Whatever else is in the file goes: place and time of the camera, a file behind the picture, a script in a comment.
"""

from __future__ import annotations

import io
import warnings
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from PIL import Image, ImageOps, UnidentifiedImageError

from fairwatt.flows.desk import DeskRefused

SENT_BYTES_MAX: Final = 12 * 1024 * 1024
PIXELS_MAX: Final = 60_000_000
SIDE_MAX: Final = 2048
KEPT_BYTES_MAX: Final = 2_000_000
_FORMATS: Final = ("JPEG", "PNG", "WEBP")
_HEIF: Final = (b"heic", b"heix", b"hevc", b"heim", b"heis", b"hevm", b"hevs", b"mif1", b"msf1", b"avif")


class BadPhoto(DeskRefused):
    """The picture cannot be taken; nothing was written down."""

    code = "bad_photo"


@dataclass(frozen=True)
class Photo:
    """A JPEG of nothing but pixels."""

    content: bytes
    width: int
    height: int

    @property
    def sha256(self) -> bytes:
        """Its digest."""
        return sha256(self.content).digest()


def take_photo(content: bytes, /) -> Photo:
    """Make a picture anew from the one that was sent: upright, at most `SIDE_MAX` a side, JPEG. Raises BadPhoto."""
    if not 0 < len(content) <= SENT_BYTES_MAX:
        raise BadPhoto("A photo has between 1 byte and 12 MB. Nothing was written down; send a smaller one.")
    if content[4:8] == b"ftyp" and content[8:12] in _HEIF:
        raise BadPhoto(
            "This is a HEIC or AVIF picture, which this system does not read. Nothing was written down. On an iPhone: "
            "Settings, Camera, Formats, Most Compatible; then take it again, or send JPEG, PNG or WebP."
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(content), formats=_FORMATS) as sent:
                if sent.width * sent.height > PIXELS_MAX or min(sent.size) < 2:
                    raise BadPhoto(
                        "The photo has %(width)d × %(height)d pixels, and 60 million are the most. Nothing was written "
                        "down; send a smaller one.",
                        width=sent.width,
                        height=sent.height,
                    )
                sent.draft("RGB", (SIDE_MAX, SIDE_MAX))
                upright = ImageOps.exif_transpose(sent).convert("RGBA")
    except BadPhoto:
        raise
    except (UnidentifiedImageError, Image.DecompressionBombWarning, Image.DecompressionBombError):
        raise BadPhoto(
            "This is no JPEG, PNG or WebP picture. Nothing was written down; take a photo with the phone's camera."
        ) from None
    except Exception as error:  # decoders raise much on broken bytes, and none of it may stop a page
        raise BadPhoto(
            "The picture is damaged and cannot be read. Nothing was written down; take it again."
        ) from error
    return _made_anew(upright)


def _made_anew(upright: Image.Image) -> Photo:
    plain = Image.new("RGB", upright.size, (255, 255, 255))
    plain.paste(upright, mask=upright.getchannel("A"))
    plain.thumbnail((SIDE_MAX, SIDE_MAX))
    for quality in (82, 60, 40):
        made = io.BytesIO()
        plain.save(made, "JPEG", quality=quality, optimize=True)
        if made.tell() <= KEPT_BYTES_MAX:
            break
    return Photo(made.getvalue(), plain.width, plain.height)
