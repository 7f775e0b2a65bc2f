"""How an actor's object is made in its process."""

from typing import Any

from thespian.system.utilis import withPossibleInitArgs

from actors.runtime import thespian_fixes


class Plain:
    def __init__(self) -> None:
        self.made = True


class Asking:
    def __init__(self, capabilities: Any) -> None:
        self.capabilities = capabilities


def test_an_actor_gets_what_its_init_takes() -> None:
    known = withPossibleInitArgs(capabilities={"Admin Port": 1}, requirements=None)
    assert thespian_fixes._create(known, Plain).made
    assert thespian_fixes._create(known, Asking).capabilities == {"Admin Port": 1}
    assert type(thespian_fixes._create(known, object)) is object
