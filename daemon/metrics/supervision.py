"""The family of the supervision tree, summed up by kind.  Pure.

A tree of a thousand sessions gives a dozen series.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from daemon.metrics.table import general as table
from daemon.metrics.text import family, prefix


def nodes(tree: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Every node of a tree, the root included, parents before their children."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        waiting.extend(reversed(node.get("children") or ()))


def render(tree: Mapping[str, Any] | None) -> str:
    """What runs now; nothing while the tree is not known."""
    if tree is None:
        return ""
    children = Counter((str(node["kind"]), str(node["state"])) for node in nodes(tree))
    return family(
        table.SUPERVISION_CHILDREN,
        [f"{prefix(table.SUPERVISION_CHILDREN, labels)}{n}" for labels, n in sorted(children.items())],
    )
