"""What the schema is made of: the strict base model, rules over several fields, text, paths, lists."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar, Self, TypeVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    PlainSerializer,
    WithJsonSchema,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema


@dataclass(frozen=True, slots=True)
class Wrong:
    """The verdict of a rule over several fields: what stands there and what would be right."""

    found: str
    expected: str


@dataclass(frozen=True, slots=True)
class Rule:
    """A pure function over the values of some fields of one section; it returns what is wrong, or None."""

    fields: tuple[str, ...]
    verdict: Callable[..., Wrong | None]


class Section(BaseModel):
    """Base of every part of the configuration: strict types, immutable, no unknown keys."""

    model_config = ConfigDict(
        strict=True,
        frozen=True,
        extra="forbid",
        allow_inf_nan=False,
        use_attribute_docstrings=True,
        # An input may be a secret at the wrong place.
        hide_input_in_errors=True,
    )

    cross_checks: ClassVar[tuple[Rule, ...]] = ()

    @model_validator(mode="before")
    @classmethod
    def _empty_is_default(cls, data: object) -> object:
        """A section whose keys are all commented out is null in YAML and means its defaults."""
        return {} if data is None else data

    @model_validator(mode="after")
    def _follow_rules(self) -> Self:
        for rule in self.cross_checks:
            wrong = rule.verdict(*(getattr(self, name) for name in rule.fields))
            if wrong is not None:
                raise PydanticCustomError(
                    "rule",
                    "found {found}, expected {expected}",
                    {"found": wrong.found, "expected": wrong.expected, "fields": rule.fields},
                )
        return self


@dataclass(frozen=True, slots=True)
class Text:
    """Makes an annotated str follow a pure check that raises ValueError with a sentence."""

    check: Callable[[str], None]
    expected: str
    """What to write, as it appears in errors and in the JSON Schema."""

    pattern: str | None = None
    """As much of the check as a regular expression can say, for editors."""

    personal: bool = False
    """Whether the value is personal data, which errors and listings don't repeat."""

    def _validate(self, value: str) -> str:
        try:
            self.check(value)
        except ValueError as error:
            raise PydanticCustomError(
                "text", "expected {expected}", {"expected": self.expected, "hint": str(error)}
            ) from None
        return value

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self._validate, handler(source))

    def __get_pydantic_json_schema__(self, _schema: CoreSchema, _handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        schema: JsonSchemaValue = {"type": "string", "x-expected": self.expected}
        if self.pattern is not None:
            schema["pattern"] = self.pattern
        if self.personal:
            schema["x-personal"] = True
        return schema


def _to_path(value: object) -> object:
    """An absolute path; a relative one counts from the working directory, `~` is the home directory."""
    if isinstance(value, str):
        if not value or "\0" in value:
            raise PydanticCustomError("path", "expected a path", {"expected": PATH_EXPECTED})
        try:
            # Not resolve(): a symbolic link that an operator made is kept as it was written.
            return Path(os.path.abspath(Path(value).expanduser()))  # noqa: PTH100
        except RuntimeError as error:
            raise PydanticCustomError(
                "path", "expected a path", {"expected": PATH_EXPECTED, "hint": str(error)}
            ) from None
    return value


PATH_EXPECTED = "a path"

AbsolutePath = Annotated[
    Path,
    BeforeValidator(_to_path),
    PlainSerializer(str, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "minLength": 1, "x-expected": PATH_EXPECTED}),
]
"""A path, made absolute when it is read."""


def _none_is_empty(value: object) -> object:
    return () if value is None else value


Item = TypeVar("Item")

Sequence = Annotated[tuple[Item, ...], Field(strict=False), BeforeValidator(_none_is_empty)]
"""A YAML list, immutable once read; a key without a value is the empty list."""
