"""Secrets: a type that never shows its value, and the references that keep it out of the file."""

import hmac
import os
import re
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Never

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler, ValidationInfo
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from config.context import load_context

HIDDEN = "<secret>"
LONGEST_SECRET_FILE = 64 * 1024
"""In bytes; a file beyond this is a mistake in the path, not a secret."""

_ENVIRONMENT = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}", re.ASCII)
_BARE_ENVIRONMENT = re.compile(r"\$[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_CREDENTIAL = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,254}", re.ASCII)


class Secret:
    """A text whose value leaves only through `reveal()`: not by repr, str, format, JSON or an error."""

    __slots__ = ("__source", "__value")

    def __init__(self, value: str, source: str = "text") -> None:
        self.__value = value
        self.__source = source

    @property
    def source(self) -> str:
        """Where it came from: `text`, or its reference (`${NAME}`, `file:/path`, `credential:name`)."""
        return self.__source

    def reveal(self) -> str:
        """The value itself. Call it where the secret is used and keep nothing."""
        return self.__value

    def __repr__(self) -> str:
        return HIDDEN

    def __len__(self) -> int:
        return len(self.__value)

    def __bool__(self) -> bool:
        return True

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self.__value.encode(), other.reveal().encode())

    def __hash__(self) -> int:
        return hash((Secret, self.__value))

    def __reduce__(self) -> tuple[type["Secret"], tuple[str, str]]:
        return Secret, (self.__value, self.__source)


def resolve_secret(text: str, environ: Mapping[str, str]) -> Secret:
    """The secret that a text is or refers to.

    `${NAME}` is an environment variable, `file:/path` the content of a file and `credential:name` a file in
    systemd's `$CREDENTIALS_DIRECTORY` (systemd.exec(5), LoadCredential=); line ends at the end are cut off.
    Anything else is the secret itself.

    Raises:
        ValueError: the reference leads nowhere; the sentence names the reference, never a value.
    """
    if match := _ENVIRONMENT.fullmatch(text):
        return Secret(_from_environment(match[1], environ), text)
    if text.startswith("file:"):
        path = Path(text.removeprefix("file:"))
        if not path.is_absolute():
            raise ValueError("file: is followed by an absolute path, such as file:/etc/wavigil/admin.token")
        return Secret(_read(path, f"the file {path}"), text)
    if text.startswith("credential:"):
        return Secret(_from_credential(text.removeprefix("credential:"), environ), text)
    if "${" in text:
        raise ValueError("${NAME} must stand alone; it can't be mixed with other text")
    if _BARE_ENVIRONMENT.fullmatch(text):
        raise ValueError("an environment variable is written ${NAME}, with braces")
    return Secret(text)


def _from_environment(name: str, environ: Mapping[str, str]) -> str:
    value = environ.get(name, "")
    if not value:
        raise ValueError(f"the environment variable {name} is not set or empty")
    return value


def _from_credential(name: str, environ: Mapping[str, str]) -> str:
    if _CREDENTIAL.fullmatch(name) is None:
        raise ValueError("credential: is followed by the plain name of a systemd credential")
    directory = environ.get("CREDENTIALS_DIRECTORY", "")
    if not directory:
        raise ValueError(f"credential:{name} needs $CREDENTIALS_DIRECTORY, which systemd sets with LoadCredential=")
    return _read(Path(directory, name), f"the systemd credential {name}")


def _read(path: Path, what: str) -> str:
    def refuse(why: str) -> Never:
        raise ValueError(f"{what} {why}")

    try:
        # Non-blocking, so that a FIFO by mistake is refused below instead of waiting for a writer.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                refuse("is not a regular file")
            content = file.read(LONGEST_SECRET_FILE + 1)
    except OSError as error:
        refuse(f"can't be read: {error.strerror or type(error).__name__}")
    if len(content) > LONGEST_SECRET_FILE:
        refuse(f"is longer than {LONGEST_SECRET_FILE} bytes")
    try:
        text = content.decode()
    except UnicodeDecodeError:
        refuse("is not UTF-8 text")
    text = text.rstrip("\r\n")
    if not text:
        refuse("is empty")
    return text


@dataclass(frozen=True, slots=True)
class SecretText:
    """Makes an annotated `Secret` readable from text or a reference, with a least length in characters."""

    min_length: int
    check: Callable[[str], None] | None = None
    """Raises ValueError, with a sentence that repeats nothing of the secret, for one that can't be meant."""
    what: str = ""
    """What it is, for one that has a form."""

    @property
    def expected(self) -> str:
        """What to write, as it appears in errors and in the JSON Schema."""
        what = self.what or f"a secret of at least {self.min_length} characters"
        return f"{what}, or a reference to one: ${{NAME}}, file:/path or credential:name"

    def _validate(self, value: object, info: ValidationInfo) -> Secret:
        context = load_context(info)
        if isinstance(value, str):
            try:
                value = resolve_secret(value, os.environ if context is None else context.environ)
            except ValueError as error:
                raise PydanticCustomError(
                    "secret_reference",
                    "expected {expected}",
                    {
                        "expected": self.expected,
                        "found": "a reference that leads nowhere",
                        "hint": str(error),
                    },
                ) from None
        if not isinstance(value, Secret):
            raise PydanticCustomError("secret_type", "expected {expected}", {"expected": self.expected})
        if len(value) < self.min_length:
            raise PydanticCustomError(
                "secret_short",
                "expected {expected}",
                {"expected": self.expected, "found": f"a secret of {len(value)} characters"},
            )
        if self.check is not None:
            try:
                self.check(value.reveal())
            except ValueError as error:
                raise PydanticCustomError(
                    "secret_form",
                    "expected {expected}",
                    {"expected": self.expected, "found": "another secret", "hint": str(error)},
                ) from None
        return value

    def __get_pydantic_core_schema__(self, _source: object, _handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.with_info_plain_validator_function(
            self._validate,
            serialization=core_schema.plain_serializer_function_ser_schema(
                _hide, return_schema=core_schema.str_schema(), when_used="json"
            ),
        )

    def __get_pydantic_json_schema__(self, _schema: CoreSchema, _handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {"type": "string", "writeOnly": True, "x-expected": self.expected}


def _hide(_secret: Secret) -> str:
    return HIDDEN
