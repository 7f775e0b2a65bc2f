"""The tables of routes and problems in the documentation.  `python -m daemon.api.docs` writes them into its page."""

from pathlib import Path

from daemon.api.problems import Reason
from daemon.api.routes import ROUTES

PAGE = Path(__file__).parents[2] / "docs" / "api.md"


def routes_table() -> str:
    """Every route with the lowest role that may use it."""
    rows = "".join(
        f"| `{route.method} {route.path}` | {route.role.label if route.role else 'no token'} | {route.summary} |\n"
        for route in ROUTES
    )
    return f"| route | role | what |\n|---|---|---|\n{rows}"


def problems_table() -> str:
    """Every problem with what helps."""
    rows = "".join(f"| {r.status} | `{r.uri}` | {r.title}. | {r.remedy} |\n" for r in Reason)
    return f"| status | type | title | what helps |\n|---|---|---|---|\n{rows}"


def renewed(page: str) -> str:
    """The page with the tables as they are now, between their markers.

    Raises:
        ValueError: a marker is missing.
    """
    return _put(_put(page, "routes", routes_table()), "problems", problems_table())


def _put(page: str, name: str, text: str) -> str:
    begin, end = f"<!-- {name}: python -m daemon.api.docs -->\n", f"<!-- end of {name} -->"
    before, begun, rest = page.partition(begin)
    _, ended, after = rest.partition(end)
    if not (begun and ended):
        raise ValueError(f"the page has no place for {name}")
    return before + begin + text + end + after


if __name__ == "__main__":
    PAGE.write_text(renewed(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
