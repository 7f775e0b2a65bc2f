"""From what pydantic reports to problems with a place, what was found, what was expected and a hint. Pure."""

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from pydantic_core import ErrorDetails

from config.document import KeyPath, Mark, Tree
from config.expect import Spot, choices_of, describe, keys_of, spot
from config.problems import Problem, echo, path_text

# A section is not validated further because of an error that is reported itself.
_CONSEQUENCES = frozenset({"default_factory_not_called"})

NUMBER_HINT = "put it in quotes to make it text"
UNIT_HINT = "its unit is missing"


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What one error of pydantic means for the file."""

    problem: Problem
    path: KeyPath
    """The wrong value in the file, or the missing one."""

    doomed: tuple[Tree, ...]
    """What to leave out so that the rest can be checked without it."""

    causes: tuple[KeyPath, ...]
    """The values that the error is about: if one of these is wrong itself, the error says nothing new."""


def diagnose(file: str, tree: Tree, errors: Iterable[ErrorDetails]) -> list[Diagnosis]:
    """What the errors of one validation mean; `tree` is what was validated."""
    return [_diagnose(file, tree, error) for error in errors if error["type"] not in _CONSEQUENCES]


def _diagnose(file: str, tree: Tree, error: ErrorDetails) -> Diagnosis:
    location: tuple[Any, ...] = error["loc"]
    context: dict[str, Any] = error.get("ctx", {})
    match error["type"]:
        case "extra_forbidden":
            return _unknown_key(file, tree, spot(location))
        case "rule":
            return _broken_rule(file, tree, spot(location), context)
        case "union_tag_invalid" | "union_tag_not_found":
            item = spot(location)
            name = item.schema["discriminator"]["propertyName"]
            choice = Spot({"enum": choices_of(item.schema)}, (*item.path, name), item.hidden)
            return _wrong_value(file, tree, choice, {})
        case "literal_error":
            # pydantic has a context of its own for this one.
            return _wrong_value(file, tree, spot(location), {})
    if location and location[-1] == "[key]":
        return _wrong_key(file, tree, spot(location[:-1]), context)
    return _wrong_value(file, tree, spot(location), context)


def _wrong_value(file: str, tree: Tree, place: Spot, context: dict[str, Any]) -> Diagnosis:
    # Where the file is less deep than the place, something on the way is missing.
    at, original = _nearest(tree, place.path)
    node = tree.at(place.path)
    found = "nothing" if node is None else _found(node, place.hidden)
    expected = context.get("expected") or describe(place.schema)
    hint = context.get("hint", "")
    if node is not None and not hint:
        hint = _hint(node, place)
    problem = _problem(file, at.mark, original, context.get("found", found), expected, hint)
    return Diagnosis(problem, original, (at,), (original,))


def _unknown_key(file: str, tree: Tree, place: Spot) -> Diagnosis:
    parent, known_path = _nearest(tree, place.path[:-1])
    key = str(place.path[-1])
    known = keys_of(spot_of_section(tree, place).schema)
    near = difflib.get_close_matches(key, known, n=1)
    # In a section with a secret, a key that resembles none may be the secret itself, after a forgotten colon.
    shown = near or not place.hidden
    found = f"the unknown key {echo(key)}" if shown else "an unknown key"
    expected = "one of " + ", ".join(known)
    hint = f"did you mean {near[0]}?" if near else ""
    mark = parent.keys.get(key, parent.mark)
    path = (*known_path, key)
    problem = _problem(file, mark, path if shown else known_path, found, expected, hint)
    doomed = tree.at(place.path)
    return Diagnosis(problem, path, (doomed,) if doomed else (), (path,))


def spot_of_section(tree: Tree, place: Spot) -> Spot:
    """The section around an unknown key, seen through the variant that its own values choose."""
    section = spot(place.path[:-1])
    variants = section.schema.get("discriminator")
    node = tree.at(section.path)
    tag = node.child(variants["propertyName"]) if variants and node else None
    return spot((*section.path, str(tag.value))) if tag else section


def _wrong_key(file: str, tree: Tree, place: Spot, context: dict[str, Any]) -> Diagnosis:
    parent, parent_path = _nearest(tree, place.path[:-1])
    key = str(place.path[-1])
    path = (*parent_path, key)
    mark = parent.keys.get(key, parent.mark)
    expected = context.get("expected", "another key")
    problem = _problem(file, mark, path, f"the key {echo(key)}", expected, context.get("hint", ""))
    doomed = tree.at(place.path)
    return Diagnosis(problem, path, (doomed,) if doomed else (), (path,))


def _broken_rule(file: str, tree: Tree, place: Spot, context: dict[str, Any]) -> Diagnosis:
    section, path = _nearest(tree, place.path)
    given = [child for name in context["fields"] if (child := section.child(name)) is not None]
    mark = given[0].mark if given else section.mark
    shown = given[0].path if given else path
    problem = _problem(file, mark, shown, context["found"], context["expected"], "")
    return Diagnosis(problem, shown, tuple(given), tuple((*path, name) for name in context["fields"]))


def _nearest(tree: Tree, path: KeyPath) -> tuple[Tree, KeyPath]:
    """The value at a path, or the nearest one around it; and the path as it is in the whole file."""
    node = tree
    for depth, part in enumerate(path):
        child = node.child(part)
        if child is None:
            return node, (*node.path, *path[depth:])
        node = child
    return node, node.path


def _found(node: Tree, hidden: bool) -> str:
    value = node.value
    match value:
        case None:
            return "null"
        case dict():
            return "a mapping"
        case list():
            return "a list"
        case bool():
            return "true or false" if hidden else str(value).lower()
        case str():
            return "text" if hidden else echo(value)
        case _:
            return "a number" if hidden else f"the number {echo(str(value))[1:-1]}"


def _hint(node: Tree, place: Spot) -> str:
    value = node.value
    if isinstance(value, str):
        near = difflib.get_close_matches(value, choices_of(place.schema), n=1)
        return f"did you mean {near[0]}?" if near else ""
    wants_text = place.schema.get("type", "string") == "string" and "x-unit" not in place.schema
    if isinstance(value, (bool, int, float)) and wants_text and not choices_of(place.schema):
        return NUMBER_HINT
    if isinstance(value, (int, float)) and "x-unit" in place.schema:
        return UNIT_HINT
    return ""


def _problem(file: str, mark: Mark, path: KeyPath, found: str, expected: str, hint: str) -> Problem:
    return Problem(file, mark.line, mark.column, path_text(path), found, expected, hint)
