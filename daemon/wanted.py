"""Who owns which session, and whether it should run: file, API and the operator's wishes put together.  Pure."""

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, replace

from actors.store.records import RESTORED, Desired, StoredSession
from config.loader import Loaded
from config.schema import SessionSpec
from daemon.backend import SessionRecord

Said = Mapping[str, bool]
"""Session -> ``enabled`` as the file said it when it was last taken over."""
Named = Mapping[str, str | None]
"""Session that is the API's too -> ``proxy`` as the file said it last; one of which it said nothing is not here."""


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
    """All sessions: those of the file in its order, then those of the API by age.  A wish wins over the file.

    A session of the API that the file takes over without a word about its proxy keeps it: it never goes past one
    since somebody forgot a line.
    """
    found: dict[str, SessionRecord] = {}
    for spec in loaded.config.sessions:
        enabled = wishes[spec.id].enabled if spec.id in wishes else spec.enabled
        source = loaded.session_origin(spec.id)
        proxy = spec.proxy if spec.id not in stored or says_proxy(spec) else stored[spec.id].proxy
        found[spec.id] = SessionRecord(spec.id, spec.connector, dict(spec.labels), enabled, "file", source, proxy)
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


def says_proxy(spec: SessionSpec) -> bool:
    """Whether the file has a word about the proxy of a session; null is one."""
    return "proxy" in spec.model_fields_set


def named(specs: Iterable[SessionSpec], stored: Container[str]) -> dict[str, str | None]:
    """What to remember of the file's proxies."""
    return {spec.id: spec.proxy for spec in specs if spec.id in stored and says_proxy(spec)}


def returned(hands: Ownership, stored: Mapping[str, StoredSession], named: Named) -> dict[str, StoredSession]:
    """The sessions that the API has again, and that go on through the proxy that the file had given them."""
    return {id: replace(stored[id], proxy=named[id]) for id in hands.given_back if id in named}


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
