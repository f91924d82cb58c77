"""A table of edge.toml held against the settings it may have: what is missing, strange or of another kind is named."""

import types
from collections.abc import Mapping
from dataclasses import MISSING, fields
from typing import Any, Final, Union, get_args, get_origin, get_type_hints

PORT_MAX: Final = 65_535
_WORDS: Final = {
    int: "a whole number, without quotes",
    float: "a number, without quotes",
    bool: "true or false",
    str: "text in quotes",
    tuple: "a list of texts",
}


class TableError(ValueError):
    """A table cannot be used. The text names the table and the setting."""


def built[T](kind: type[T], given: Mapping[str, Any], /, *, where: str, **made: Any) -> T:
    """Make settings from their table and from what was ``made`` of other tables already.

    ``where`` is how the table is called in an error. Raises TableError; whatever ``kind`` refuses, it raises.
    """
    known = {field.name: field for field in fields(kind) if field.name not in made}  # type: ignore[arg-type]
    if strange := sorted(set(given) - set(known)):
        raise TableError(f"{where} has no setting {strange[0]!r}; there are {', '.join(sorted(known))}")
    for name, field in known.items():
        if name not in given and field.default is MISSING and field.default_factory is MISSING:
            raise TableError(f"{where} lacks the setting {name!r}")
    hints = get_type_hints(kind)
    return kind(**{name: _fit(hints[name], name, value, where) for name, value in given.items()}, **made)


def _fit(hint: Any, name: str, value: Any, where: str) -> Any:
    wanted = _wanted(hint)
    if tuple in wanted:
        if isinstance(value, list) and all(isinstance(one, str) for one in value):
            return tuple(value)
    elif not wanted or type(value) in wanted or (float in wanted and type(value) is int):
        if name.endswith("port") and not 0 <= value <= PORT_MAX:
            raise TableError(f"{where}: {name} {value} is no port; ports go from 1 to {PORT_MAX}")
        return value
    raise TableError(f"{where}: {name} is {_WORDS[wanted[0]]}, not {value!r}")


def _wanted(hint: Any) -> list[type]:
    """The kinds of value that are checked here; none where the settings themselves judge."""
    ways = get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)
    return [kind for way in ways if (kind := get_origin(way) or way) in _WORDS]
