"""The languages a command speaks, by the names people give them."""

from __future__ import annotations

from fairwatt.server.errors import BadInput

_NAMES = {"en": "en", "zh": "zh-hans", "zh-hans": "zh-hans", "zh-cn": "zh-hans"}


def language_named(said: str) -> str:
    """The language as Django calls it. Raises BadInput."""
    found = _NAMES.get(said.strip().lower().replace("_", "-"))
    if found is None:
        raise BadInput(f"Language {said[:20]!r} is not spoken here; take en or zh. Nothing was changed.")
    return found
