"""Which auth states of a backup may be put in place of what is there.  Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from actors.connectors.baileys.authstate import BadAuthState, read_device, why_older


class Verdict(StrEnum):
    """What becomes of one session's auth state."""

    TAKEN = "taken"
    """From the backup."""
    SAME = "same"
    """Both are alike."""
    REFUSED = "refused"
    """What is there stays."""


@dataclass(frozen=True, slots=True)
class AuthState:
    """A session's rows, opened."""

    current: int
    """The generation that owned it last."""
    entries: Mapping[str, bytes]


@dataclass(frozen=True, slots=True)
class Decision:
    """With what led to it."""

    verdict: Verdict
    why: str = ""


def decide(kept: AuthState | None, offered: AuthState) -> Decision:
    """What is there against what a backup has.  In doubt what is there stays: older keys do damage that lasts."""
    if kept is None or not kept.entries:
        return Decision(Verdict.TAKEN if offered.entries else Verdict.SAME)
    if kept.entries == offered.entries:
        return Decision(Verdict.SAME)
    if not offered.entries:
        return Decision(Verdict.REFUSED, "the backup has none")
    try:
        kept_device, offered_device = read_device(kept.entries), read_device(offered.entries)
    except BadAuthState:
        if kept.current < offered.current:
            return Decision(Verdict.TAKEN)
        return Decision(Verdict.REFUSED, f"generation {kept.current} is there, {offered.current} is in the backup")
    if kept_device != offered_device:
        return Decision(Verdict.REFUSED, "it was paired anew since, as another device")
    if (why := why_older(offered.entries, kept.entries)) is not None:
        return Decision(Verdict.REFUSED, f"the backup is older: {why}")
    if why_older(kept.entries, offered.entries) is None:
        return Decision(Verdict.REFUSED, "nothing shows that the backup is newer")
    return Decision(Verdict.TAKEN)
