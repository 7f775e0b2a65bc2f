"""What the health actor has shown but not yet stored: the disk may take nothing for a while."""

from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

from actors.events import EventType
from actors.health.book import MATERIAL
from actors.store.records import NewEvent, Score

KEPT = 10_000
"""Events that wait in memory; beyond it the oldest are lost."""


class Owed:
    """The last view of each session, and every event."""

    def __init__(self) -> None:
        self._views: dict[str, Mapping[str, Any]] = {}
        self._events: deque[NewEvent] = deque(maxlen=KEPT)

    def __bool__(self) -> bool:
        return bool(self._views or self._events)

    def take(self, views: Mapping[str, Mapping[str, Any]], turns: Sequence[NewEvent] = ()) -> None:
        """Adds what was just computed: views, and changes of liveness."""
        self._events.extend(turns)
        self._views.update(views)
        for id, view in views.items():
            if view["material"]:
                data = {key: view[key] for key in (*MATERIAL, "components")}
                self._events.append(NewEvent(view["checkedAt"], EventType.HEALTH_CHANGED, id, data))

    def scores(self) -> list[Score]:
        """As the database holds them."""
        return [
            Score(
                id,
                v["score"] if v["score"] is not None else 0,
                v["quality"] or "critical",
                v["status"],
                v["checkedAt"],
                v,
            )
            for id, v in self._views.items()
        ]

    def events(self) -> list[NewEvent]:
        """In their order."""
        return list(self._events)

    def clear(self) -> None:
        """All of it is stored."""
        self._views.clear()
        self._events.clear()
