"""Query strings and bodies into models, with errors that name the place.  Pure."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NoReturn

from pydantic import ValidationError

from daemon.api.call import B, Q
from daemon.api.problems import FieldError, ProblemError, Reason
from daemon.api.requests import Request


def parse_query(model: type[Q], pairs: Iterable[tuple[str, str]]) -> Q:
    """The query parameters as a model.

    Raises:
        ProblemError: with every wrong parameter.
    """
    values: dict[str, Any] = {}
    for name, value in pairs:
        before = values.get(name)
        values[name] = value if before is None else [*([before] if isinstance(before, str) else before), value]
    try:
        return model.model_validate(values)
    except ValidationError as error:
        wrong = [
            FieldError(_sentence(item, model), parameter=str(item["loc"][0]) if item["loc"] else None)
            for item in error.errors(include_url=False, include_input=False)
        ]
        raise _invalid("query", wrong) from None


def parse_body(model: type[B], raw: bytes) -> B:
    """A JSON body as a model.

    Raises:
        ProblemError: it is no JSON object, or with every wrong value.
    """
    value = _json(raw)
    if not isinstance(value, dict):
        raise ProblemError(Reason.MALFORMED, "The body is JSON, but not an object.")
    try:
        return model.model_validate(value)
    except ValidationError as error:
        wrong = [
            FieldError(_sentence(item, model), pointer=pointer(item["loc"]))
            for item in error.errors(include_url=False, include_input=False)
        ]
        raise _invalid("body", wrong) from None


def _json(raw: bytes) -> Any:
    try:
        return json.loads(raw.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_refuse_constant)
    except UnicodeDecodeError:
        problem = "The body is not UTF-8 text."
    except json.JSONDecodeError as error:
        problem = f"The body is not JSON: {error.msg} at line {error.lineno}, column {error.colno}."
    except RecursionError:
        problem = "The body is nested too deeply."
    except ValueError as error:
        problem = f"The body is not JSON: {error}."
    raise ProblemError(Reason.MALFORMED, problem)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("a key stands twice in one object")
    return value


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")


def pointer(location: Sequence[int | str]) -> str:
    """A JSON pointer as URI fragment (RFC 6901, 6): `("labels", "a/b")` gives `#/labels/a~1b`."""
    return "#" + "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in location)


def _sentence(item: Mapping[str, Any], model: type[Request]) -> str:
    """What is wrong, for the caller; pydantic's words where they are good."""
    if item["type"] == "extra_forbidden":
        known = ", ".join(field.alias or name for name, field in model.model_fields.items())
        return f"unknown; known here: {known}" if known else "unknown; nothing is known here"
    if item["type"] == "missing":
        return "this is required"
    return str(item["msg"]).removeprefix("Value error, ")


def _invalid(where: str, errors: list[FieldError]) -> ProblemError:
    number = f"{len(errors)} wrong value{'s' if len(errors) != 1 else ''}"
    return ProblemError(Reason.INVALID, f"The {where} has {number}.", errors=errors)
