"""The image: what sessions run is found, moved together, and still itself; in a process of its own."""

import json
import subprocess
import sys
from collections import Counter
from typing import Any

import pytest

from actors.runtime import image

PAGE = 4096
MANY = 20
"""Names on a page of which a third is filled with such."""

GATHER = """
import gc, sys
from types import FunctionType
from actors.runtime import image
image.intern_names()
names = [each for each in image._kept if sys.getsizeof(each) < 512]
import json
import daemon.run
from actors.session import machine
from asyncio import base_events

def code():
    hot = set(image.hot_functions())
    return {id(f): f.__code__ for f in gc.get_objects()
            if type(f) is FunctionType and (f.__module__, f.__code__.co_qualname) in hot}

def told(f):
    c = f.__code__
    return [c.co_filename, c.co_firstlineno, c.co_qualname, c.co_freevars, list(c.co_lines()), c.co_code.hex()]

before, some = code(), [machine.step, base_events.BaseEventLoop.run_forever]
first = [told(f) for f in some]
count = image.gather()
after = code()
try:
    machine.step(None, None, 0.0)
except Exception as error:
    at = error.__traceback__.tb_next
    line = [at.tb_frame.f_code.co_filename, at.tb_lineno]
print(json.dumps({
    "listed": len(image.hot_functions()),
    "found": len({(f.__module__, f.__code__.co_qualname) for f in gc.get_objects() if type(f) is FunctionType}
                 & set(image.hot_functions())),
    "count": count,
    "same": [told(f) for f in some] == first,
    "line": line,
    "names": [[id(each), sys.getsizeof(each)] for each in names],
    "before": [[id(each), sys.getsizeof(each)] for each in before.values()],
    "after": [[id(each), sys.getsizeof(each)] for each in after.values()],
}))
"""


@pytest.fixture(scope="module")
def gathered() -> Any:
    done = subprocess.run([sys.executable, "-c", GATHER], check=True, capture_output=True, text=True)
    return json.loads(done.stdout)


def pages(objects: list[list[int]]) -> int:
    return len({(address + offset) // PAGE for address, size in objects for offset in (0, size - 1)})


def test_most_of_what_is_listed_exists(gathered: Any) -> None:
    # what runs only in forks, inside of other functions, is not there yet; `python -m tests.bench.hot` renews the list
    assert gathered["found"] > 0.7 * gathered["listed"]
    assert gathered["count"] >= gathered["found"]


def test_code_lies_closer_together_than_before(gathered: Any) -> None:
    assert pages(gathered["after"]) < 0.5 * pages(gathered["before"])


def test_names_lie_side_by_side(gathered: Any) -> None:
    on = Counter(address // PAGE for address, _ in gathered["names"])
    # Python itself has interned some before anybody could
    assert sum(count for count in on.values() if count > MANY) > 0.7 * len(gathered["names"])


def test_code_is_the_same_and_its_tracebacks_name_the_same_lines(gathered: Any) -> None:
    assert gathered["same"]
    assert gathered["line"][0].endswith("actors/session/machine.py")


def test_the_lists_are_clean() -> None:
    functions = image.hot_functions()
    assert len(set(functions)) == len(functions)
    assert all(module and name for module, name in functions)
