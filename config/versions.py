"""The version of WhatsApp Web that a client says it is."""

from typing import Annotated

from pydantic import BeforeValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

EXPECTED = "three whole numbers such as [2, 3000, 1027934701]"


def _three_numbers(value: object) -> tuple[int, ...]:
    numbers = list(value) if isinstance(value, (list, tuple)) else []
    right = [type(number) is int and 0 <= number < 2**32 for number in numbers]
    if right != [True, True, True]:
        raise PydanticCustomError("version", "expected {expected}", {"expected": EXPECTED})
    return tuple(numbers)


ClientVersion = Annotated[
    tuple[int, int, int],
    BeforeValidator(_three_numbers),
    WithJsonSchema(
        {
            "type": "array",
            "items": {"type": "integer", "minimum": 0},
            "minItems": 3,
            "maxItems": 3,
            "x-expected": EXPECTED,
        }
    ),
]
"""Major, minor and build number."""
