"""Sessions whose keys came out of a backup stay stopped until somebody accepts that the keys are as old as it is."""

import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from sqlalchemy import delete, insert, select
from sqlalchemy.dialects.sqlite import insert as upsert
from sqlalchemy.exc import DBAPIError

from actors.store.engine import sync_writer, translate
from actors.store.records import RESTORED
from actors.store.tables import audit, desired
from daemon.audit.deeds import DAEMON, DONE
from daemon.backup.verdicts import Decision, Verdict

ACTION: Final = "backup.restore"


def mark(
    path: Path,
    taken: Iterable[str],
    alike: Iterable[str],
    made_at: float,
    *,
    accepted: bool,
    decisions: Mapping[str, Decision],
    whole: bool,
) -> tuple[str, ...]:
    """Writes into api.db which sessions stay stopped, and that there was a restore; returns those sessions.

    With ``accepted`` none of what is ``alike`` now stays so, also what an earlier restore stopped.  Raises StoreError.
    """
    now = time.time()
    counts = {str(verdict): sum(d.verdict is verdict for d in decisions.values()) for verdict in Verdict}
    engine = sync_writer(path)
    try:
        with engine.begin() as conn:
            if accepted:
                held = (desired.c.who == RESTORED) & desired.c.session.in_(list(alike))
                conn.execute(delete(desired).where(held))
            else:
                for session in taken:
                    wish = {"enabled": False, "changed_at": now, "who": RESTORED}
                    statement = upsert(desired).values(session=session, **wish)
                    # one that an operator had stopped is his, and stays stopped whatever is accepted later
                    running = statement.on_conflict_do_update(
                        index_elements=[desired.c.session], set_=wish, where=desired.c.enabled
                    )
                    conn.execute(running)
            detail = {"madeAt": made_at, "whole": whole, "accepted": accepted, **counts}
            entry = {"at": now, "who": DAEMON, "action": ACTION, "target": "-", "detail": detail, "outcome": DONE}
            conn.execute(insert(audit).values(**entry))
            stopped = conn.execute(select(desired.c.session).where(desired.c.who == RESTORED)).scalars()
            return tuple(sorted(stopped))
    except DBAPIError as error:
        raise translate(path, error) from error
    finally:
        engine.dispose()
