"""A meter model is data: the TOML files in `profiles/`, one per model."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from .contract import DriverError


class ProfileError(DriverError):
    """A meter profile is missing or broken; no meter of that model can be read until it is mended."""

    code = "profile"


@dataclass(frozen=True, slots=True)
class MeterProfile:
    """One meter model: its register's shape, and the settings its protocol driver understands."""

    key: str
    title: str
    protocol: str
    resolution_wh: int
    modulus_wh: int
    max_power_w: int
    settings: dict[str, Any]


def profile_keys() -> tuple[str, ...]:
    """Name every meter model that is known, in order."""
    names = (entry.name for entry in _folder().iterdir())
    return tuple(sorted(name.removesuffix(".toml") for name in names if name.endswith(".toml")))


@cache
def load_profile(*, key: str) -> MeterProfile:
    """Read the profile of one meter model by its file name. Raises `ProfileError`."""
    if key not in profile_keys():
        raise ProfileError(f"There is no meter profile {key!r}. Known: {', '.join(profile_keys())}.")
    return parse_profile(key=key, text=_folder().joinpath(f"{key}.toml").read_text(encoding="utf-8"))


def parse_profile(*, key: str, text: str) -> MeterProfile:
    """Read a profile from its TOML text, for models kept outside this package. Raises `ProfileError`."""
    try:
        tree = tomllib.loads(text)
        register = tree["register"]
        profile = MeterProfile(
            key=key,
            title=str(tree["title"]),
            protocol=str(tree["protocol"]),
            resolution_wh=_positive(register, "resolution_wh"),
            modulus_wh=_positive(register, "modulus_wh"),
            max_power_w=_positive(register, "max_power_w"),
            settings={name: tree[name] for name in tree.keys() - {"title", "protocol", "register"}},
        )
    except tomllib.TOMLDecodeError as error:
        raise ProfileError(f"Meter profile {key!r} is not TOML: {error}.") from error
    except KeyError as error:
        raise ProfileError(f"Meter profile {key!r} lacks {error}.") from error
    if profile.modulus_wh % profile.resolution_wh:
        raise ProfileError(f"Meter profile {key!r}: modulus_wh is not a whole number of resolution_wh steps.")
    return profile


def _positive(table: dict[str, Any], name: str) -> int:
    value = table[name]
    if type(value) is not int or value <= 0:
        raise ProfileError(f"{name} must be a whole number above zero; got {value!r}.")
    return value


def _folder() -> Any:
    return files("fairwatt.drivers").joinpath("profiles")
