"""What the schema expects at a place, in words; and whether the place may hold a secret. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass

from config.document import KeyPath
from config.jsonschema import Schema, config_schema


@dataclass(frozen=True, slots=True)
class Spot:
    """A place in the schema."""

    schema: Schema
    """What may stand there; empty for a key that the schema doesn't know."""

    path: KeyPath
    """The keys and indices that lead there, as in a file."""

    hidden: bool
    """Whether what stands there may be, hold or stand beside a secret, so that no error may repeat it."""


def spot(location: KeyPath) -> Spot:
    """The place that pydantic's `loc` means; it has the name of the variant between an item and its keys."""
    schema = _resolved(config_schema())
    path: list[str | int] = []
    beside_secret = False
    for part in location:
        variants = schema.get("discriminator")
        if variants is not None and part in variants["mapping"]:
            schema = _definition(variants["mapping"][part])
            continue
        beside_secret = beside_secret or _holds_secret(schema)
        schema = _below(schema, part)
        path.append(part)
    hidden = beside_secret or _is_or_contains_secret(schema) or schema.get("x-personal", False)
    return Spot(schema, tuple(path), hidden)


def keys_of(schema: Schema) -> tuple[str, ...]:
    """The keys that a section knows."""
    return tuple(schema.get("properties", ()))


def choices_of(schema: Schema) -> tuple[str, ...]:
    """The texts of which one is to stand at the place; empty if others may as well."""
    if "discriminator" in schema:
        return tuple(schema["discriminator"]["mapping"])
    return tuple(schema.get("enum", ()))


def describe(schema: Schema) -> str:
    """What is to stand at a place, in words that follow "expected"."""
    if "x-expected" in schema:
        words: str = schema["x-expected"]
    elif choices := choices_of(schema):
        words = "one of " + ", ".join(choices)
        if "discriminator" in schema:
            words = f"a mapping with {schema['discriminator']['propertyName']}: {words}"
    else:
        words = _describe_type(schema)
    return f"{words}, or null" if schema.get("x-nullable") else words


def _describe_type(schema: Schema) -> str:
    match schema.get("type"):
        case "boolean":
            return "true or false"
        case "integer":
            return f"a whole number{_range(schema)}"
        case "number":
            return f"a number{_range(schema)}"
        case "array" | ["array", "null"]:
            return "a list (of lines that begin with -)"
        case "object" | ["object", "null"]:
            keys = keys_of(schema)
            return f"a mapping with the keys {', '.join(keys)}" if keys else "a mapping of names to texts"
        case _:
            return "text"


def _range(schema: Schema) -> str:
    low, over, high = (schema.get(name) for name in ("minimum", "exclusiveMinimum", "maximum"))
    if low is not None and high is not None:
        return f" from {low} to {high}"
    if over is not None and high is not None:
        return f" over {over} and up to {high}"
    return ""


def _definition(reference: str) -> Schema:
    definition: Schema = config_schema()["$defs"][reference.removeprefix("#/$defs/")]
    return definition


def _resolved(schema: Schema) -> Schema:
    """The schema without `$ref`, and of "something or null" the something, marked as nullable."""
    if "$ref" in schema:
        return _definition(schema["$ref"])
    options = [option for option in schema.get("anyOf", ()) if option.get("type") != "null"]
    if len(options) == 1:
        return {**_resolved(options[0]), "x-nullable": True}
    return schema


def _below(schema: Schema, part: str | int) -> Schema:
    if isinstance(part, int):
        return _resolved(schema.get("items", {}))
    known = schema.get("properties", {})
    if part in known:
        return _resolved(known[part])
    free = schema.get("patternProperties", {}).values()
    return _resolved(next(iter(free), {}))


def _holds_secret(schema: Schema) -> bool:
    return any(_resolved(child).get("writeOnly", False) for child in schema.get("properties", {}).values())


def _is_or_contains_secret(schema: Schema) -> bool:
    schema = _resolved(schema)
    return schema.get("writeOnly", False) or any(map(_is_or_contains_secret, _children(schema)))


def _children(schema: Schema) -> Iterator[Schema]:
    yield from schema.get("properties", {}).values()
    yield from schema.get("oneOf", ())
    if "items" in schema:
        yield schema["items"]
