import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.api.auth import Identity, Role, Token, TokenBook, bearer

BOOK = TokenBook([Token("grafana", Role.VIEWER, "view-secret"), Token("root", Role.ADMIN, "admin-secret")])


def test_tokens_are_known_by_their_value() -> None:
    assert BOOK.identify("view-secret") == Identity("grafana", Role.VIEWER)
    assert BOOK.identify("admin-secret") == Identity("root", Role.ADMIN)


@given(st.text().filter(lambda text: text not in {"view-secret", "admin-secret"}))
def test_no_other_value_is(text: str) -> None:
    assert BOOK.identify(text) is None


def test_without_tokens_nobody_is_known() -> None:
    assert TokenBook([]).identify("") is None


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("Bearer abc", "abc"),
        ("bearer  abc ", "abc"),
        ("BEARER abc", "abc"),
        ("Basic abc", None),
        ("Bearer", None),
        ("Bearer ", None),
        ("", None),
        (None, None),
        ("abc", None),
    ],
)
def test_the_header(header: str | None, value: str | None) -> None:
    assert bearer(header) == value


def test_values_do_not_show() -> None:
    assert "secret" not in repr(Token("a", Role.ADMIN, "secret"))
    assert "secret" not in repr(vars(BOOK))


def test_roles_are_ordered() -> None:
    assert Role.VIEWER < Role.OPERATOR < Role.ADMIN
