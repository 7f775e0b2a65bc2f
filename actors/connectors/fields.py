"""Typed reading of the maps that come out of frames: a wrong or missing value names its key."""

import math
from collections.abc import Iterable, Mapping
from typing import Any, Final

LARGEST: Final = 2**53
"""What a JavaScript number, a JSON reader and SQLite hold exactly; no number of the protocol comes near it."""
LATEST: Final = 253_402_300_799_999
"""The last millisecond of the year 9999, in milliseconds since 1970: no later time can be written down."""


class BadField(ValueError):
    """A key is missing, not known, or its value is of the wrong kind or out of range.  ``path`` names it."""

    def __init__(self, path: str, problem: str) -> None:
        super().__init__(f"{path}: {problem}")
        self.path = path


class Fields:
    """A view of one map.  ``path`` is how errors name it, for example ``profile.script[2]``."""

    __slots__ = ("_path", "_values")

    def __init__(self, values: Any, path: str = "") -> None:
        if not isinstance(values, Mapping) or not all(isinstance(key, str) for key in values):
            raise BadField(path or "frame", "expected a map with text keys")
        self._values: Mapping[str, Any] = values
        self._path = path

    def path(self, name: str) -> str:
        """How errors name a key of this map."""
        return f"{self._path}.{name}" if self._path else name

    def __contains__(self, name: str) -> bool:
        return self._values.get(name) is not None

    def only(self, allowed: Iterable[str]) -> None:
        """Refuses keys outside ``allowed``."""
        known = set(allowed)
        for name in self._values:
            if name not in known:
                raise BadField(self.path(name), f"not known here; expected one of {', '.join(sorted(known))}")

    def has(self, name: str) -> bool:
        """Whether the key is there, be it null."""
        return name in self._values

    def get(self, name: str) -> Any:
        """The value as it came; None if it is missing."""
        return self._values.get(name)

    def text(self, name: str, default: str | None = None) -> str:
        """A text; ``default`` if the key is missing or null, an error without one."""
        value = self._values.get(name, default)
        value = default if value is None else value
        if not isinstance(value, str):
            raise BadField(self.path(name), f"expected a text, got {_kind(value)}")
        return value

    def text_or_none(self, name: str) -> str | None:
        """A text or null."""
        return self.text(name) if name in self else None

    def integer(self, name: str, default: int | None = None, least: int | None = None) -> int:
        """A whole number, at least ``least``, and no larger than LARGEST, whatever its sign."""
        value = self._values.get(name)
        value = default if value is None else value
        if isinstance(value, bool) or not isinstance(value, int):
            raise BadField(self.path(name), f"expected a whole number, got {_kind(value)}")
        if abs(value) > LARGEST:
            raise BadField(self.path(name), f"expected at most 2^53, got {value}")
        if least is not None and value < least:
            raise BadField(self.path(name), f"expected at least {least}, got {value}")
        return value

    def integer_or_none(self, name: str) -> int | None:
        """A whole number or null."""
        return self.integer(name) if name in self else None

    def milliseconds(self, name: str) -> int:
        """A time of the years 1970 to 9999, in milliseconds since 1970."""
        value = self.integer(name)
        if not 0 <= value <= LATEST:
            raise BadField(self.path(name), f"expected milliseconds since 1970, to the year 9999, got {value}")
        return value

    def milliseconds_or_none(self, name: str) -> int | None:
        """Such a time or null."""
        return self.milliseconds(name) if name in self else None

    def number(self, name: str, default: float | None = None, least: float | None = None) -> float:
        """A number, at least ``least``, and no larger than LARGEST, whatever its sign."""
        value = self._values.get(name)
        value = default if value is None else value
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise BadField(self.path(name), f"expected a number, got {_kind(value)}")
        if abs(value) > LARGEST:
            raise BadField(self.path(name), f"expected at most 2^53, got {value}")
        if least is not None and value < least:
            raise BadField(self.path(name), f"expected at least {least}, got {value}")
        return float(value)

    def number_or_none(self, name: str, least: float | None = None) -> float | None:
        """Such a number or null."""
        return self.number(name, least=least) if name in self else None

    def boolean(self, name: str, default: bool | None = None) -> bool:
        """True or false."""
        value = self._values.get(name)
        value = default if value is None else value
        if not isinstance(value, bool):
            raise BadField(self.path(name), f"expected true or false, got {_kind(value)}")
        return value

    def texts(self, name: str) -> dict[str, str]:
        """A map of texts; empty if the key is missing or null."""
        value = self._values.get(name)
        if value is None:
            return {}
        if not isinstance(value, Mapping):
            raise BadField(self.path(name), f"expected a map of texts, got {_kind(value)}")
        for key, item in value.items():
            if not isinstance(key, str) or not isinstance(item, str):
                raise BadField(f"{self.path(name)}.{key}", f"expected a text, got {_kind(item)}")
        return dict(value)

    def inner(self, name: str) -> "Fields":
        """A map inside this one; empty if the key is missing or null."""
        value = self._values.get(name)
        return Fields({} if value is None else value, self.path(name))


def _kind(value: Any) -> str:
    return "nothing" if value is None else type(value).__name__
