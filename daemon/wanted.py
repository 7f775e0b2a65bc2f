"""Who owns which session, and whether it should run: file, API and the operator's wishes put together.  Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from actors.store.records import RESTORED, Desired, StoredSession
from config.loader import Loaded
from config.schema import SessionSpec
from daemon.backend import SessionRecord

Said = Mapping[str, bool]
"""Session -> ``enabled`` as the file said it when it was last taken over."""


@dataclass(frozen=True, slots=True)
class Ownership:
    """What a file does to the sessions of the API."""

    taken_over: tuple[str, ...] = ()
    """The API's until now, the file's from now on."""
    given_back: tuple[str, ...] = ()
    """Were the API's before the file named them, and are again."""


def records(
    loaded: Loaded, stored: Mapping[str, StoredSession], wishes: Mapping[str, Desired]
) -> dict[str, SessionRecord]:
    """All sessions: those of the file in its order, then those of the API by age.  A wish wins over the file."""
    found: dict[str, SessionRecord] = {}
    for spec in loaded.config.sessions:
        enabled = wishes[spec.id].enabled if spec.id in wishes else spec.enabled
        source = loaded.session_origin(spec.id)
        found[spec.id] = SessionRecord(spec.id, spec.connector, dict(spec.labels), enabled, "file", source, spec.proxy)
    for id, session in stored.items():
        if id not in found:
            enabled = wishes[id].enabled if id in wishes else True
            found[id] = SessionRecord(id, session.connector, dict(session.labels), enabled, "api", proxy=session.proxy)
    return found


def ownership(before: Iterable[str], after: Iterable[str], stored: Mapping[str, StoredSession]) -> Ownership:
    """What changes hands when the file, which named the sessions ``before``, names those ``after``."""
    old, new = dict.fromkeys(before), dict.fromkeys(after)
    return Ownership(
        taken_over=tuple(id for id in new if id in stored and id not in old),
        given_back=tuple(id for id in old if id in stored and id not in new),
    )


def overruled(said: Said, specs: Iterable[SessionSpec], wishes: Mapping[str, Desired]) -> set[str]:
    """The wishes that are void: the file changed its mind about ``enabled`` since.

    A session that the file names for the first time was enabled before, as the API's are; so a session that was
    stopped over the API stays stopped when the file takes it over.
    """
    return {
        spec.id
        for spec in specs
        if spec.id in wishes and not is_held(wishes[spec.id]) and said.get(spec.id, True) != spec.enabled
    }


def is_held(wish: Desired | None) -> bool:
    """Whether a session stays stopped because its keys came out of a backup."""
    return wish is not None and wish.who == RESTORED and not wish.enabled


def says(said: Said, specs: Iterable[SessionSpec], wishes: Iterable[str], stored: Iterable[str]) -> dict[str, bool]:
    """What to remember of the file; of a session that left it as long as a wish waits for its return."""
    now = {spec.id: spec.enabled for spec in specs}
    waiting = set(wishes) - set(stored)
    return {**{id: enabled for id, enabled in said.items() if id in waiting}, **now}
