"""The JSON of statuses: when it is made again, and how a page is put together."""

import json
from dataclasses import replace
from typing import Any

from actors.recovery.pauses import Pause
from daemon.api import render, statuses
from daemon.api.models_status import SessionStatusPage
from daemon.api.statuses import Statuses
from daemon.backend import SessionLive, SessionRecord

RECORD = SessionRecord("a", "simulator", {"team": "süd"})
LIVE = SessionLive(state="open", status="connected", since=1769847330.125)
PAUSE = Pause(1, 10.0, "admin", session="a", reason="works")


def read(status: bytes) -> dict[str, Any]:
    return dict(json.loads(status))


def test_a_status_is_made_once_for_the_same_state() -> None:
    made = Statuses()
    first = made.of(RECORD, LIVE, ())
    assert first == render.status(RECORD, LIVE).model_dump_json().encode()
    assert made.of(RECORD, LIVE, ()) is first


def test_a_status_is_made_again_when_anything_of_it_changed() -> None:
    made = Statuses()
    made.of(RECORD, LIVE, ())
    assert read(made.of(RECORD, replace(LIVE, score=7), ()))["healthScore"] == 7
    assert read(made.of(replace(RECORD, labels={"team": "east"}), LIVE, ()))["labels"] == {"team": "east"}
    assert read(made.of(RECORD, LIVE, (PAUSE,)))["statusMetadata"]["recoveryPaused"] is not None
    assert read(made.of(RECORD, LIVE, ()))["statusMetadata"]["recoveryPaused"] is None


def test_what_is_not_kept_is_made_again() -> None:
    made = Statuses()
    first = made.of(RECORD, LIVE, ())
    made.keep({"a"})
    assert made.of(RECORD, LIVE, ()) is first
    made.keep(())
    assert made.of(RECORD, LIVE, ()) is not first


def test_a_page_is_what_the_model_would_write() -> None:
    shown = [render.status(replace(RECORD, id=id), LIVE) for id in ("a", "b")]
    parts = [status.model_dump_json().encode() for status in shown]
    for some, cursor in ((2, None), (1, 'YSI"='), (0, None)):
        page = SessionStatusPage(sessions=shown[:some], next_cursor=cursor, total=2)
        assert statuses.page(parts[:some], cursor, 2) == page.model_dump_json().encode()
