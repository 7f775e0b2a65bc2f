"""The image that actors are forked from: what they touch lies side by side.

A forked process shares the pages of its parent until either writes into one, and Python writes into all that it uses,
to count references and to specialise code (PEP 659).  A session actor runs a few hundred functions of the thirty
thousand that are imported: spread over all of them, they and the names in them make a copy of ten times the pages that
they fill.  So before anything is imported the names that sessions use are interned one after the other
(``intern_names``), and before the first fork the code that they run is copied, one piece beside the other (``gather``).

``hot_functions.txt`` and ``hot_names.txt`` say what sessions use.  ``python -m tests.bench.hot`` observes it and writes
them; what they lack, or have too much, costs memory and nothing else.
"""

import gc
import marshal
import os
import sys
from collections.abc import Iterable, Iterator
from types import CodeType, FunctionType

_HERE = os.path.dirname(__file__)  # noqa: PTH120 - pathlib would be imported, with its names, before the hot ones
_kept: list[object] = []
"""What must not be freed: the names, the code that was copied, and what fills the gaps."""

SMALL = 512
"""Bytes: CPython's own allocator serves requests up to this size, from pools of one size each (Objects/obmalloc.c)."""
POOL_SHIFT = 14
POOL = (1 << POOL_SHIFT) - 48
"""Bytes for objects in such a pool (since Python 3.10, on 64 bits)."""
STEP = 16
"""Bytes from one size to the next."""
OVERHEAD = 33
"""Bytes of a bytes object beside its contents."""
LARGE = (64 * 1024, 32 * 1024, 16 * 1024, 8 * 1024, 4 * 1024, 2 * 1024, *range(1024, SMALL, -STEP))
"""Sizes for which the C library's allocator is asked until no gap is left."""
LIMIT = 20_000
"""Objects of one size, at most."""
BUDGET = 32 * 1024 * 1024
"""Bytes for all of LARGE, at most: with another allocator than the usual one, nothing may come of it."""


def _lines(name: str) -> list[str]:
    with open(os.path.join(_HERE, name), encoding="utf-8") as file:  # noqa: PTH118, PTH123 - see _HERE
        return file.read().split("\n")[:-1]


def intern_names() -> None:
    """Call it before other imports: a name that was interned already stays where it is."""
    _kept.extend(map(sys.intern, _lines("hot_names.txt")))


def hot_functions() -> list[tuple[str, str]]:
    """Module and qualified name of each function that sessions run."""
    return [(module, name) for module, _, name in (line.partition(" ") for line in _lines("hot_functions.txt"))]


def gather() -> int:
    """Call it when all is imported and nothing forked; returns how many functions were copied."""
    functions: dict[tuple[str, str], list[FunctionType]] = {}
    classes = []
    for each in gc.get_objects():
        if type(each) is FunctionType:
            functions.setdefault((each.__module__, each.__code__.co_qualname), []).append(each)
        elif isinstance(each, type):
            classes.append(each)
    hot = [each for key in hot_functions() for each in functions.get(key, ())]
    _fill_gaps()
    _copy_code(hot)
    _look_up(classes)
    return len(hot)


def _look_up(classes: Iterable[type]) -> None:
    """Gives classes the versions that they would get when an actor first looks something up in them."""
    for each in classes:
        type.__getattribute__(each, "__init__")
    forget_lookups = getattr(sys, "_clear_internal_caches", None) or getattr(sys, "_clear_type_cache", None)
    if forget_lookups is not None:
        forget_lookups()  # else actors write into names of all that was imported, as theirs take their places


def _copy_code(functions: Iterable[FunctionType]) -> None:
    """Gives functions copies of their code, with names and constants, made one after the other."""
    before = list({id(each.__code__): each.__code__ for each in functions}.values())  # equal ones may differ in file
    whole: tuple[CodeType, ...] = marshal.loads(marshal.dumps(tuple(before)))  # noqa: S302 - its own
    for each in whole:
        each.replace()  # it keeps what it is asked for, its bytecode among it: not in between the copies
    copies = [each.replace() for each in whole]
    copy_of = {id(old): new for old, new in zip(before, copies, strict=True)}
    for function in functions:
        function.__code__ = copy_of[id(function.__code__)]
    _kept.append((before, whole))  # freed, they would leave gaps


def _fill_gaps() -> None:
    """Takes what is free between objects, so that all that is made from now on, here and in forks, lies together."""
    filling = [*_pools(), *_heap()]
    _kept.append(filling)


def _pools() -> Iterator[object]:
    for size in range(STEP, SMALL + 1, STEP):
        enough, found = POOL // size * 9 // 10, dict[int, int]()
        for number in range(LIMIT):
            each = _sized(size, number)
            yield each
            pool = id(each) >> POOL_SHIFT
            found[pool] = found.get(pool, 0) + 1
            if found[pool] >= enough:
                break  # it was empty: one of those is begun when no gap is left


def _sized(size: int, number: int) -> object:
    if size > OVERHEAD + 1:
        return bytes(size - OVERHEAD)
    return float(number) if size > STEP else object()


def _heap() -> Iterator[object]:
    first = [bytes(LARGE[0]) for _ in range(4)]
    end, spent = max(map(id, first)), 0
    yield first
    for size in LARGE:
        while spent < BUDGET:
            each = bytes(size - OVERHEAD)
            yield each
            spent += size
            if id(each) > end:
                end = id(each)
                break  # the heap grew: no gap is left
