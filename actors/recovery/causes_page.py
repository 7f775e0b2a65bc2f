"""The page ``docs/causes.md``: causes, what is done about them, and what an operator can do."""

import sys
from collections.abc import Mapping

from actors.recovery.strategies import Strategy, ladder
from actors.session.causes import BAN_REASONS, Cause, Disposition


def _line(cause: Cause) -> str:
    cells = (
        f"`{cause.value}`",
        ", ".join(map(str, cause.codes)),
        cause.sentence,
        cause.disposition.value,
        ", ".join(rung.value for rung in ladder(cause)),
        cause.state.value,
        "yes" if cause.is_blocked else "",
        cause.remedy,
    )
    return f"| {' | '.join(cells)} |"


def page() -> str:
    """The table, for those who operate wavigil."""
    lines = [
        "# Causes",
        "",
        "Why a session is not connected, what wavigil does about it, and what an operator can do. `cause` in",
        "events, metrics and the API is the first column. Generated from `actors/session/causes_table.py` and",
        "`actors/recovery/strategies.py` by `python -m actors.recovery.causes_page > docs/causes.md`.",
        "",
        "| cause | code | what happened | wavigil | ladder | state | blocked | remedy |",
        "|---|---|---|---|---|---|---|---|",
    ]
    lines += [_line(cause) for cause in Cause]
    lines += ["", "## What wavigil does", ""]
    lines += [f"- **{disposition.value}**: {text}" for disposition, text in _DISPOSITIONS.items()]
    more = "What does not help is followed by the next: [what recovery does](operators-guide.md#what-recovery-does)."
    lines += ["", "## The ladder", "", more, ""]
    lines += [f"- **{strategy.value}**: {text}" for strategy, text in _STRATEGIES.items()]
    lines += ["", "## Codes of a temporary ban", ""]
    lines += [f"- {code}: {text}" for code, text in BAN_REASONS.items()]
    return "\n".join([*lines, ""])


_DISPOSITIONS: Mapping[Disposition, str] = {
    Disposition.AT_ONCE: "reconnects at once, three times within a minute; then it backs off.",
    Disposition.BACK_OFF: "reconnects after a random delay from a growing range (1 s to 32 s), without end.",
    Disposition.FEW_TRIES: "reconnects three times, then halts.",
    Disposition.WAIT_UNTIL: "waits until the ban is over, then tries once.",
    Disposition.HALT: "does not try again until an operator acts, also not after a restart.",
    Disposition.BLOCK: "does not try again until an operator decides otherwise, also not after a restart.",
    Disposition.IDLE: "shows a QR again when somebody asks for it.",
    Disposition.NONE: "nothing: it was wanted, or another part takes care of it.",
}
_STRATEGIES: Mapping[Strategy, str] = {
    Strategy.RECONNECT: "another connection, by the session itself; one that believes to be open is told to.",
    Strategy.RESTART: "the connection is closed and the session's actor replaced.",
    Strategy.FAILOVER: "a fresh connector process for the shard; its sessions move, one after the other.",
    Strategy.SLOW_LANE: "everything was tried: tries go on, seldom and without end, and are told of.",
    Strategy.WAIT_UNTIL: "nothing until the ban is over, then one login.",
    Strategy.PAIR_AGAIN: "nothing until somebody pairs the device again.",
    Strategy.STOP: "nothing until an operator acts.",
    Strategy.NONE: "nothing: no matter of recovery.",
}

if __name__ == "__main__":
    sys.stdout.write(page())
