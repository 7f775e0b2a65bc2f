"""Who owns a session's auth state: pure decisions.

A *reservation* hands out the next number and takes nothing over; a *claim* of a reserved number makes it the
owner, and every lower one is fenced from then on.  A number is handed out once: two actors of a session never
share one.
"""

from dataclasses import dataclass, replace

from actors.vault.errors import Fenced


@dataclass(frozen=True, slots=True)
class Fence:
    """The numbers of a session; ``current <= reserved``."""

    reserved: int = 0
    """The highest generation that was handed out."""
    current: int = 0
    """The generation that owns the auth state; 0 before the first claim."""


def reserve(fence: Fence) -> Fence:
    """Hands out the next generation: ``reserved`` of the result."""
    return replace(fence, reserved=fence.reserved + 1)


def claim(fence: Fence, generation: int) -> Fence:
    """Makes ``generation`` the owner; claiming again what one owns changes nothing.  Raises Fenced."""
    if generation < fence.current:
        raise Fenced(f"generation {generation} is fenced: {fence.current} took over")
    if generation > fence.reserved:
        raise Fenced(f"generation {generation} was never reserved: the last one is {fence.reserved}")
    return replace(fence, current=generation)


def check_last(fence: Fence, generation: int) -> None:
    """Raises Fenced unless ``generation`` owns the auth state and nobody has reserved another one since.

    Whoever reserves afterwards is told what was written now; who has reserved before could not know of it.
    """
    check(fence, generation)
    if fence.reserved > generation:
        raise Fenced(f"generation {fence.reserved} was reserved after {generation}")


def check(fence: Fence, generation: int) -> None:
    """Raises Fenced unless ``generation`` owns the auth state."""
    if generation < fence.current:
        raise Fenced(f"generation {generation} is fenced: {fence.current} took over")
    if generation > fence.current or generation < 1:
        raise Fenced(f"generation {generation} has not claimed; the owner is {fence.current}")
