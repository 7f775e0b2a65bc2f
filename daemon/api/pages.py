"""Pages of lists that are ordered by session id.  Pure."""

from collections.abc import Iterable
from dataclasses import dataclass

from daemon.api import cursor
from daemon.api.problems import FieldError, ProblemError, Reason
from daemon.api.requests import Page


@dataclass(frozen=True, slots=True)
class Slice:
    """The ids on a page, in order, and how to get the next."""

    ids: list[str]
    next_cursor: str | None


def page_of(ids: Iterable[str], query: Page) -> Slice:
    """The page that a query asks for, of the ids that match its filters.

    Raises:
        ProblemError: the cursor is none, or of another filter.
    """
    # The size of a page may change underway; what is listed may not.
    selection = query.model_dump(mode="json", exclude={"cursor", "limit"})
    ordered = sorted(ids)
    if query.cursor is not None:
        try:
            after = cursor.decode(query.cursor, selection)
        except ValueError as error:
            wrong = FieldError(str(error), parameter="cursor")
            raise ProblemError(Reason.INVALID, "The query has 1 wrong value.", errors=[wrong]) from None
        ordered = [session for session in ordered if session > after]
    page = ordered[: query.limit]
    more = len(ordered) > len(page)
    return Slice(page, cursor.encode(page[-1], selection) if more else None)
