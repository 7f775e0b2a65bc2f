"""What the tree of 1,000 sessions costs each process: `python -m tests.bench.tree` prints milliseconds of CPU."""

import os
import pickle
import time
from collections.abc import Callable
from typing import Any

import msgpack

from actors.messages.supervision import Heartbeat, TreeAnswer
from actors.runtime.memory import pss_bytes
from actors.supervision import describe
from actors.supervision.spec import ChildSpec
from actors.supervision.state import Child, Exit, Phase
from daemon.api.models_supervision import Tree
from daemon.metrics import supervision

ROUNDS = 10
SHARDS = 32
CHILDREN = 33


def measured(what: str, work: Callable[[], Any]) -> Any:
    """Prints the best of some rounds, and returns what the work returned."""
    took = []
    for _ in range(ROUNDS):
        began = time.process_time()
        work()
        took.append(time.process_time() - began)
    print(f"{what:<60} {min(took) * 1000:6.1f} ms")
    return work()


def main() -> None:
    """Each step of an answer, from a shard's supervisor to the bytes of HTTP."""
    exit_ = Exit("signal", 9, 1769847330.125)
    children = [Child(ChildSpec(f"s{n}", "session"), phase=Phase.RUNNING, last_exit=exit_) for n in range(CHILDREN)]
    beat = Heartbeat("s", 1, None, 1.0, 0.004, 0, 4_000_000)

    def shard(*, memory: bool) -> list[dict[str, Any]]:
        return [describe.child_node(child, os.getpid(), beat, 2.0, memory=memory) for child in children]

    measured(f"supervisor: {CHILDREN} children, for the metrics", lambda: shard(memory=False))
    nodes = measured(f"supervisor: {CHILDREN} children, with their memory", lambda: shard(memory=True))
    measured("actor: its own PSS, every 5 minutes", pss_bytes)
    packed = pickle.dumps(TreeAnswer(1, "shard-0", 1, tuple(nodes), {}, nodes[0]))
    measured(f"gateway: unpickles {SHARDS} answers", lambda: [pickle.loads(packed) for _ in range(SHARDS)])  # noqa: S301
    shards = [{**nodes[0], "children": nodes} for _ in range(SHARDS)]
    frame = measured("gateway: packs the tree", lambda: msgpack.packb({**nodes[0], "children": shards}))
    tree = measured("main: unpacks it", lambda: msgpack.unpackb(frame))
    measured("main: sums it up for the metrics", lambda: supervision.render(tree))
    shown = measured("main: checks it", lambda: Tree.model_validate(tree))
    body = measured("main: writes JSON", shown.model_dump_json)
    print(f"frame {len(frame):,} bytes, JSON {len(body):,} bytes")


if __name__ == "__main__":
    main()
