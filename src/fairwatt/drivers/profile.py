"""A meter model is data: the TOML files in `profiles/`, one per model."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Final

from .contract import DriverError, Medium

_COMMON: Final = {"title", "protocol", "medium", "register", "counts_primary"}
_REGISTER: Final = {
    "Wh": ("resolution_wh", "modulus_wh", "max_power_w"),
    "l": ("resolution_l", "modulus_l", "max_flow_lph"),
}


class ProfileError(DriverError):
    """A meter profile is missing or broken; no meter of that model can be read until it is mended."""

    code = "profile"


@dataclass(frozen=True, slots=True)
class MeterProfile:
    """One meter model: its register's shape, and the settings its protocol driver understands.

    Where the medium is counted in litres, so are ``resolution_wh`` and ``modulus_wh``, and ``max_power_w`` is
    litres per hour. Such a TOML file says ``resolution_l``, ``modulus_l`` and ``max_flow_lph`` instead.
    ``counts_primary``: the model knows the ratio of its current transformers, and its register, power and limits are of
    the primary side; so nobody else multiplies.
    """

    key: str
    title: str
    protocol: str
    resolution_wh: int
    modulus_wh: int
    max_power_w: int
    settings: dict[str, Any]
    medium: Medium = Medium.ELECTRICITY
    counts_primary: bool = False

    @property
    def register(self) -> str:
        """The name of its cumulative register: ``A+``, ``V+`` or ``Q+``."""
        return self.medium.register


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
        medium = _medium(key, tree.get("medium", Medium.ELECTRICITY))
        resolution, modulus, most = _REGISTER[medium.unit]
        profile = MeterProfile(
            key=key,
            title=str(tree["title"]),
            protocol=str(tree["protocol"]),
            resolution_wh=_positive(register, resolution),
            modulus_wh=_positive(register, modulus),
            max_power_w=_positive(register, most),
            settings={name: tree[name] for name in tree.keys() - _COMMON},
            medium=medium,
            counts_primary=_truth(tree, "counts_primary"),
        )
    except tomllib.TOMLDecodeError as error:
        raise ProfileError(f"Meter profile {key!r} is not TOML: {error}.") from error
    except KeyError as error:
        raise ProfileError(f"Meter profile {key!r} lacks {error}.") from error
    if profile.modulus_wh % profile.resolution_wh:
        raise ProfileError(f"Meter profile {key!r}: {modulus} is not a whole number of {resolution} steps.")
    return profile


def only(row: Any, *names: str, where: str) -> Any:
    """Return one table of a profile; a misspelt line is refused instead of being left out. Raises `ProfileError`."""
    if not isinstance(row, dict):
        raise ProfileError(f"{where} of a meter profile is a table; got {row!r}.")
    if strange := row.keys() - set(names):
        raise ProfileError(
            f"{where} of a meter profile has {', '.join(sorted(strange))}, which nobody reads. "
            f"Known: {', '.join(names)}."
        )
    return row


def _positive(table: dict[str, Any], name: str) -> int:
    value = table[name]
    if type(value) is not int or value <= 0:
        raise ProfileError(f"{name} must be a whole number above zero; got {value!r}.")
    return value


def _truth(tree: dict[str, Any], name: str) -> bool:
    value = tree.get(name, False)
    if type(value) is not bool:
        raise ProfileError(f"{name} is true or false; got {value!r}.")
    return value


def _medium(key: str, name: Any) -> Medium:
    try:
        return Medium(name)
    except ValueError as error:
        raise ProfileError(f"Meter profile {key!r}: medium is {', '.join(Medium)}; got {name!r}.") from error


def _folder() -> Any:
    return files("fairwatt.drivers").joinpath("profiles")
