"""A YAML text as a tree that knows where each value stands. Only plain data: no tags, no repeated keys.

Scalars follow the YAML 1.2 core schema, as editors do: `no` and `on` are text, `2024-01-01` is text.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml
from yaml.nodes import MappingNode, ScalarNode, SequenceNode

KeyPath = tuple[str | int, ...]
"""Keys and indices (from 0) that lead to a value."""
Plain = str | int | float | bool | dict[str, Any] | list[Any] | None

MOST_VALUES = 200_000
"""Values after anchors are expanded; beyond it the text is a bomb, not a configuration."""

DEEPEST = 50
"""Levels of nesting; the schema has 7."""

WELL_FORMED = "well-formed YAML, with quotes around text that has special characters"

MERGE = "tag:yaml.org,2002:merge"


@dataclass(frozen=True, slots=True)
class Mark:
    """A place in the text; both count from 1."""

    line: int
    column: int


@dataclass(slots=True)
class Tree:
    """One value and what is below it. `path` is where it stood in the file, also after `drop`."""

    path: KeyPath
    mark: Mark
    value: str | int | float | bool | dict[str, "Tree"] | list["Tree"] | None
    keys: dict[str, Mark] = field(default_factory=dict)
    """Of a mapping: where each key stands."""

    def plain(self) -> Plain:
        """The value as Python data."""
        if isinstance(self.value, dict):
            return {key: child.plain() for key, child in self.value.items()}
        if isinstance(self.value, list):
            return [child.plain() for child in self.value]
        return self.value

    def child(self, part: str | int) -> "Tree | None":
        """The value below a key or at an index, or None."""
        if isinstance(self.value, dict):
            return self.value.get(str(part)) if isinstance(part, str) else None
        if isinstance(self.value, list) and isinstance(part, int) and 0 <= part < len(self.value):
            return self.value[part]
        return None

    def at(self, path: KeyPath) -> "Tree | None":
        """The value that a path leads to, or None."""
        tree: Tree | None = self
        for part in path:
            tree = tree.child(part) if tree is not None else None
        return tree

    def drop(self, doomed: Iterable["Tree"]) -> None:
        """Forget these very trees, wherever they are below this one."""
        identities = {id(tree) for tree in doomed}
        for tree in self.walk():
            if isinstance(tree.value, dict):
                tree.value = {key: child for key, child in tree.value.items() if id(child) not in identities}
            elif isinstance(tree.value, list):
                tree.value = [child for child in tree.value if id(child) not in identities]

    def walk(self) -> Iterator["Tree"]:
        """This value and all below it."""
        yield self
        if isinstance(self.value, (dict, list)):
            for child in self.value.values() if isinstance(self.value, dict) else self.value:
                yield from child.walk()


@dataclass(frozen=True, slots=True)
class Flaw:
    """Something wrong with the text itself."""

    mark: Mark
    path: KeyPath
    found: str
    expected: str


@dataclass(frozen=True, slots=True)
class Document:
    """What was read: the tree (None: an empty text, or one that can't be read), and all flaws."""

    tree: Tree | None
    flaws: tuple[Flaw, ...]


class _Loader(yaml.SafeLoader):
    """Composes nodes; a tag is noted and then ignored."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012  # PyYAML's own class attribute

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.tags: list[Mark] = []

    def compose_node(self, parent: Any, index: Any) -> Any:  # PyYAML's signature
        event: Any = self.peek_event()  # type: ignore[no-untyped-call]
        if getattr(event, "tag", None) is not None:
            self.tags.append(_mark(event.start_mark))
            event.tag = None
            plain = getattr(event, "style", None) is None
            event.implicit = (plain, not plain) if isinstance(event, yaml.ScalarEvent) else True
        return super().compose_node(parent, index)


# The limits on digits leave longer numbers, such as keys, text, and keep int() quick.
_FLOAT = r"[-+]?(?:\.[0-9]{1,18}|[0-9]{1,18}(?:\.[0-9]{0,18})?)(?:[eE][-+]?[0-9]{1,3})?"
_SPECIAL_FLOAT = r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"
_SCALARS = (
    ("null", r"~|null|Null|NULL|", "~nN\0"),
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("int", r"[-+]?[0-9]{1,18}|0o[0-7]{1,18}|0x[0-9a-fA-F]{1,15}", "-+0123456789"),
    ("float", f"{_FLOAT}|{_SPECIAL_FLOAT}", "-+.0123456789"),
    ("merge", r"<<", "<"),
)
for _name, _pattern, _first in _SCALARS:
    _Loader.add_implicit_resolver(
        f"tag:yaml.org,2002:{_name}",
        re.compile(f"(?:{_pattern})\\Z", re.ASCII),
        ["" if character == "\0" else character for character in _first],
    )


def read_document(text: str) -> Document:
    """Read a YAML text. Never raises for a wrong text: what is wrong is in `flaws`."""
    origin = Mark(1, 1)
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
    except yaml.reader.ReaderError as error:
        before = text[: error.position]
        mark = Mark(before.count("\n") + 1, len(before) - before.rfind("\n"))
        return Document(None, (Flaw(mark, (), "a control character", "printable text in UTF-8"),))
    except yaml.MarkedYAMLError as error:
        at = error.problem_mark or error.context_mark
        return Document(None, (Flaw(_mark(at) if at else origin, (), _syntax(error), WELL_FORMED),))
    except RecursionError:
        return Document(None, (Flaw(origin, (), "lists or mappings nested too deeply", "YAML as in the example"),))
    flaws = [
        Flaw(mark, (), "a YAML tag (!)", "no tags; text that begins with ! stands in quotes") for mark in loader.tags
    ]
    if node is None:
        return Document(None, tuple(flaws))
    builder = _Builder(flaws)
    try:
        tree = builder.build(node, ())
    except _TooMuchError as error:
        flaw = Flaw(error.mark, (), str(error), "a configuration of moderate size")
        return Document(None, (*flaws, flaw))
    return Document(tree, tuple(flaws))


def _mark(mark: Any) -> Mark:  # PyYAML's marks are untyped
    return Mark(mark.line + 1, mark.column + 1)


QUOTED = r"(['\"]).{3,}\1"


def _syntax(error: yaml.MarkedYAMLError) -> str:
    """PyYAML's own words, without quoted parts of the text, which may be a secret's."""
    words = ", ".join(part for part in (error.context, error.problem) if part)
    return f"a mistake ({re.sub(QUOTED, '…', words)})"


class _TooMuchError(Exception):
    """The tree is too large or too deep, perhaps without end."""

    def __init__(self, sentence: str, mark: Mark) -> None:
        super().__init__(sentence)
        self.mark = mark


class _Builder:
    """Turns PyYAML's nodes into a tree, notes flaws, and gives up on bombs."""

    def __init__(self, flaws: list[Flaw]) -> None:
        self.flaws = flaws
        self.count = 0

    def build(self, node: Any, path: KeyPath) -> Tree:  # PyYAML's nodes are untyped
        mark = _mark(node.start_mark)
        self.count += 1
        if self.count > MOST_VALUES:
            raise _TooMuchError(f"more than {MOST_VALUES} values", mark)
        if len(path) > DEEPEST:
            raise _TooMuchError("lists or mappings nested too deeply", mark)
        if isinstance(node, MappingNode):
            return self._mapping(node, path, mark)
        if isinstance(node, SequenceNode):
            children = [self.build(child, (*path, index)) for index, child in enumerate(node.value)]
            return Tree(path, mark, children)
        return Tree(path, mark, _scalar(node))

    def _mapping(self, node: MappingNode, path: KeyPath, mark: Mark) -> Tree:
        children: dict[str, Tree] = {}
        keys: dict[str, Mark] = {}
        merges: list[Tree] = []
        for key_node, value_node in node.value:
            at = _mark(key_node.start_mark)
            if not isinstance(key_node, ScalarNode):
                self.flaws.append(Flaw(at, path, "a list or mapping as a key", "a plain key"))
                continue
            key = key_node.value
            if key_node.tag == MERGE:
                merges += self._merged(value_node, path)
            elif key in keys:
                self.flaws.append(
                    Flaw(at, (*path, key), f"the same key again as in line {keys[key].line}", "each key once")
                )
            else:
                keys[key] = at
                children[key] = self.build(value_node, (*path, key))
        # https://yaml.org/type/merge.html: own keys win over merged ones, earlier merges over later ones.
        for merged in merges:
            for key, child in merged.value.items() if isinstance(merged.value, dict) else ():
                if key not in children:
                    keys[key] = merged.keys[key]
                    children[key] = child
        return Tree(path, mark, children, keys)

    def _merged(self, node: Any, path: KeyPath) -> list[Tree]:  # PyYAML's nodes are untyped
        sources = node.value if isinstance(node, SequenceNode) else [node]
        trees = []
        for source in sources:
            if isinstance(source, MappingNode):
                trees.append(self.build(source, path))
            else:
                at = _mark(source.start_mark)
                self.flaws.append(Flaw(at, (*path, "<<"), "a merge of something else", "an alias of a mapping"))
        return trees


def _scalar(node: ScalarNode) -> str | int | float | bool | None:
    text: str = node.value
    match node.tag.rpartition(":")[2]:
        case "null":
            return None
        case "bool":
            return text.lower() == "true"
        case "int":
            return int(text, 0) if text.startswith(("0o", "0x")) else int(text)
        case "float":
            return float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))
        case _:
            return text
