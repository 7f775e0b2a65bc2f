"""What could not be stored is kept: every event, and the last score."""

from typing import Any

from actors.events import EventType
from actors.health.owed import KEPT, Owed


def view(score: int | None, at: float, *, material: bool = True) -> dict[str, Any]:
    return {
        "score": score,
        "quality": None,
        "status": "error",
        "checkedAt": at,
        "material": material,
        "components": {},
    }


def test_every_event_and_the_last_score() -> None:
    owed = Owed()
    assert not owed
    owed.take({"a": view(90, 1.0), "b": view(None, 1.0, material=False)})
    owed.take({"a": view(40, 2.0)})
    assert [(score.session, score.score, score.quality) for score in owed.scores()] == [
        ("a", 40, "critical"),
        ("b", 0, "critical"),
    ]
    assert [(event.session, event.at, event.type) for event in owed.events()] == [
        ("a", 1.0, EventType.HEALTH_CHANGED),
        ("a", 2.0, EventType.HEALTH_CHANGED),
    ]
    owed.clear()
    assert not owed
    assert owed.events() == []


def test_memory_is_bounded() -> None:
    owed = Owed()
    for at in range(KEPT + 5):
        owed.take({"a": view(1, float(at))})
    assert len(owed.events()) == KEPT
    assert owed.events()[0].at == 5.0
