"""Durations as operators write them (`500ms`, `10s`, `5m`, `2h`, `1d`) and as code does (float seconds)."""

import math
import re
from dataclasses import dataclass
from decimal import Decimal

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler, ValidationInfo
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from config.context import load_context

DURATION_PATTERN = r"^[0-9]{1,10}(\.[0-9]{1,6})?(ms|s|m|h|d)$"
"""One number and one unit. The limit on digits keeps every duration a finite float."""

LONGEST_SECONDS = 1e9
"""Durations up to here (31 years) survive formatting and parsing to the microsecond."""

_UNITS = {
    "ms": Decimal("0.001"),
    "s": Decimal(1),
    "m": Decimal(60),
    "h": Decimal(3600),
    "d": Decimal(86400),
}
_PARTS = re.compile(r"([0-9]{1,10}(?:\.[0-9]{1,6})?)(ms|s|m|h|d)", re.ASCII)


def parse_duration(text: str) -> float:
    """Seconds meant by a text such as `500ms`, `1.5s`, `5m`, `2h` or `1d`.

    Raises:
        ValueError: the text is not one number with one unit.
    """
    match = _PARTS.fullmatch(text)
    if match is None:
        raise ValueError("a duration is a number with a unit, such as 500ms, 10s, 5m, 2h or 1d")
    return float(Decimal(match[1]) * _UNITS[match[2]])


def format_duration(seconds: float) -> str:
    """The shortest usual text for a number of seconds in 0 … 1e9, to the microsecond.

    The largest unit that leaves a whole number is taken, so 300.0 gives `5m` and 90.0 gives `90s`.

    Raises:
        ValueError: the number is negative, not finite or over 1e9.
    """
    if not 0 <= seconds <= LONGEST_SECONDS:
        raise ValueError(f"{seconds!r} is not between 0 and {LONGEST_SECONDS:.0f} seconds")
    exact = Decimal(repr(round(float(seconds), 6)))
    if exact == 0:
        return "0s"
    for unit in ("d", "h", "m", "s"):
        if exact % _UNITS[unit] == 0:
            return f"{exact / _UNITS[unit]:.0f}{unit}"
    unit = "ms" if exact < 1 else "s"
    return f"{(exact / _UNITS[unit]).normalize():f}{unit}"


@dataclass(frozen=True, slots=True)
class Span:
    """Makes an annotated float a duration within bounds, both included.

    A file gives text with a unit; Python code may also give seconds. In JSON it is the text again.
    """

    low: str
    high: str

    @property
    def expected(self) -> str:
        """What to write, as it appears in errors and in the JSON Schema."""
        return f"a duration from {self.low} to {self.high}, written like 500ms, 10s, 5m, 2h or 1d"

    def _validate(self, value: object, info: ValidationInfo) -> float:
        seconds = math.nan
        if isinstance(value, str):
            try:
                seconds = parse_duration(value)
            except ValueError:
                seconds = math.nan
        elif isinstance(value, (int, float)) and not isinstance(value, bool) and load_context(info) is None:
            seconds = float(value)
        # NaN compares false with everything, so what could not be read fails here as well.
        if not parse_duration(self.low) <= seconds <= parse_duration(self.high):
            raise PydanticCustomError("duration", "expected {expected}", {"expected": self.expected})
        return seconds

    def __get_pydantic_core_schema__(self, _source: object, _handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.with_info_plain_validator_function(
            self._validate,
            serialization=core_schema.plain_serializer_function_ser_schema(
                format_duration, return_schema=core_schema.str_schema(), when_used="json"
            ),
        )

    def __get_pydantic_json_schema__(self, _schema: CoreSchema, _handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {
            "type": "string",
            "pattern": DURATION_PATTERN,
            "x-unit": "duration",
            "x-expected": self.expected,
        }
