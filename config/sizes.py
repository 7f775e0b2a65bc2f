"""Sizes as operators write them (`512B`, `64KiB`, `1MiB`) and as code uses them (bytes)."""

import re
from dataclasses import dataclass

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler, ValidationInfo
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from config.context import load_context

SIZE_PATTERN = r"^[0-9]{1,10}(B|KiB|MiB)$"

_UNITS = {"MiB": 1024 * 1024, "KiB": 1024, "B": 1}
_PARTS = re.compile(r"([0-9]{1,10})(B|KiB|MiB)", re.ASCII)


def parse_size(text: str) -> int:
    """Bytes meant by a text such as `512B`, `64KiB` or `1MiB`.

    Raises:
        ValueError: the text is not one whole number with one of these units.
    """
    match = _PARTS.fullmatch(text)
    if match is None:
        raise ValueError("a size is a whole number with a unit, such as 512B, 64KiB or 1MiB")
    return int(match[1]) * _UNITS[match[2]]


def format_size(size: int) -> str:
    """The text for a number of bytes, in the largest unit that leaves a whole number."""
    unit = next((name for name, factor in _UNITS.items() if size and size % factor == 0), "B")
    return f"{size // _UNITS[unit]}{unit}"


@dataclass(frozen=True, slots=True)
class SizeRange:
    """Makes an annotated int a size in bytes within bounds, both included.

    A file gives text with a unit; Python code may also give bytes. In JSON it is the text again.
    """

    low: str
    high: str

    @property
    def expected(self) -> str:
        """What to write, as it appears in errors and in the JSON Schema."""
        return f"a size from {self.low} to {self.high}, written like 512B, 64KiB or 1MiB"

    def _validate(self, value: object, info: ValidationInfo) -> int:
        size = -1
        if isinstance(value, str):
            try:
                size = parse_size(value)
            except ValueError:
                size = -1
        elif isinstance(value, int) and not isinstance(value, bool) and load_context(info) is None:
            size = value
        if not parse_size(self.low) <= size <= parse_size(self.high):
            raise PydanticCustomError("size", "expected {expected}", {"expected": self.expected})
        return size

    def __get_pydantic_core_schema__(self, _source: object, _handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.with_info_plain_validator_function(
            self._validate,
            serialization=core_schema.plain_serializer_function_ser_schema(
                format_size, return_schema=core_schema.str_schema(), when_used="json"
            ),
        )

    def __get_pydantic_json_schema__(self, _schema: CoreSchema, _handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {"type": "string", "pattern": SIZE_PATTERN, "x-unit": "size", "x-expected": self.expected}
