"""The vault's side of `docs/connector-protocol.md`: the vault itself and its twin answer alike."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from actors.connectors.vaultlink import SessionVault, VaultLink
from actors.runtime.rpc import Link
from actors.store.migrate import upgrade
from actors.store.tables import Kind
from actors.vault.keyring import MasterKeys
from actors.vault.server import VaultServer
from tests.contract.peers import refusal
from tests.contract.vault_twin import VaultTwin

pytestmark = pytest.mark.integration


@asynccontextmanager
async def _real(folder: Path) -> AsyncIterator[str]:
    upgrade(folder / "vault.db", Kind.VAULT)
    server = VaultServer(folder / "vault.db", folder / "v.sock", MasterKeys(bytes(range(32))))
    await server.start()
    yield str(folder / "v.sock")
    await server.stop()


@asynccontextmanager
async def _twin(folder: Path) -> AsyncIterator[str]:
    twin = VaultTwin(str(folder / "v.sock"))
    await twin.start()
    yield twin.path
    await twin.stop()
    twin.close()


@pytest.fixture(params=[_real, _twin], ids=["vault", "twin"])
async def socket(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[str]:
    async with request.param(tmp_path) as path:
        yield path


@pytest.fixture
async def link(socket: str) -> AsyncIterator[VaultLink]:
    link = VaultLink(socket)
    yield link
    await link.close()


async def claimed(link: VaultLink, session: str = "a") -> SessionVault:
    handle = SessionVault(link, session)
    await handle.claim(await link.reserve(session))
    return handle


async def test_reservations_rise_and_take_nothing_over(link: VaultLink) -> None:
    owner = await claimed(link)
    assert [await link.reserve("a"), await link.reserve("a")] == [owner.generation + 1, owner.generation + 2]
    await owner.commit({"k": b"v"})


async def test_claim_takes_over_and_fences_the_older(link: VaultLink) -> None:
    old = await claimed(link)
    await old.commit({"k": b"1"}, paired=True)
    new = SessionVault(link, "a")
    assert await new.claim(await link.reserve("a")) is True
    assert (await refusal(old.commit({"k": b"2"}))).code == "fenced"
    assert (await refusal(old.load())).code == "fenced"
    assert (await refusal(old.reset())).code == "fenced"
    assert await new.load() == {"k": b"1"}
    late = SessionVault(link, "a")
    assert (await refusal(late.claim(old.generation))).code == "fenced"


async def test_claim_may_be_repeated_but_not_invented(link: VaultLink) -> None:
    owner = await claimed(link)
    again = SessionVault(link, "a")
    assert await again.claim(owner.generation) is False
    assert (await refusal(SessionVault(link, "a").claim(owner.generation + 1))).code == "fenced"


async def test_who_reserves_is_told_when_the_auth_state_was_replaced(link: VaultLink) -> None:
    async def told() -> int:
        return int((await link.request("reserve", session="a"))["replaced"])

    assert await told() == 0
    main = await claimed(link)
    await main.commit({"k": b"v"}, paired=True)
    assert await told() == 0
    assert (await refusal(main.commit({"k": b"late"}, replaced=True))).code == "fenced"  # that one was not told
    main = await claimed(link)
    await main.commit({"k": b"new"}, paired=True, replaced=True)
    assert await told() == main.generation
    owner = await claimed(link)
    await owner.commit({"k": b"newer"})
    await owner.reset()
    assert await told() == main.generation


async def test_replacing_may_be_repeated_also_when_somebody_has_reserved_or_claimed_since(link: VaultLink) -> None:
    main = await claimed(link)
    await main.commit({"k": b"new"}, paired=True, replaced=True)
    owner = SessionVault(link, "a")
    generation = await link.reserve("a")
    await main.commit({"k": b"new"}, paired=True, replaced=True)
    await owner.claim(generation)
    await owner.commit({"k": b"newer"})
    await main.commit({"k": b"new"}, paired=True, replaced=True)
    assert await owner.load() == {"k": b"newer"}
    assert (await refusal(main.commit({"k": b"late"}))).code == "fenced"


async def test_commit_sets_and_deletes(link: VaultLink) -> None:
    owner = await claimed(link)
    await owner.commit({"a": b"1", "b": b"2", "c": b""})
    await owner.commit({"b": b"3"}, delete=["a", "never there"])
    assert await owner.load() == {"b": b"3", "c": b""}


async def test_commits_of_a_session_keep_their_order(link: VaultLink) -> None:
    owner = await claimed(link)
    await asyncio.gather(*(owner.commit({"k": str(number).encode()}) for number in range(20)))
    assert await owner.load() == {"k": b"19"}


async def test_load_comes_in_pages(link: VaultLink) -> None:
    owner = await claimed(link)
    entries = {f"key-{number}": bytes([number]) * 400_000 for number in range(6)}
    for key, value in entries.items():
        await owner.commit({key: value})
    page = await link.request("load", session="a", generation=owner.generation, after=None)
    assert 1 <= len(page["entries"]) < len(entries)
    assert page["next"] is not None
    assert await owner.load() == entries


async def test_reset_deletes_everything(link: VaultLink) -> None:
    owner = await claimed(link)
    await owner.commit({"k": b"v"}, paired=True)
    await owner.reset()
    assert await owner.load() == {}
    assert await SessionVault(link, "a").claim(await link.reserve("a")) is False


async def test_sessions_do_not_see_each_other(link: VaultLink) -> None:
    one, two = await claimed(link, "a"), await claimed(link, "b")
    await one.commit({"k": b"1"}, paired=True)
    await two.commit({"k": b"2"})
    await one.reset()
    assert await two.load() == {"k": b"2"}


async def test_limits_hold(link: VaultLink) -> None:
    owner = await claimed(link)
    assert (await refusal(owner.commit({"k" * 513: b""}))).code == "limit"
    assert (await refusal(owner.commit({"k": bytes(3 * 1024 * 1024 + 1)}))).code == "limit"
    largest = {"k" * 512: bytes(3 * 1024 * 1024)}
    await owner.commit(largest)
    assert await owner.load() == largest


async def test_bad_requests_are_refused(link: VaultLink) -> None:
    assert (await refusal(link.request("fly", session="a"))).code == "unknown_command"
    assert (await refusal(link.request("claim", session="a", generation="1"))).code == "bad_request"
    assert (await refusal(link.request("claim", session="a"))).code == "bad_request"


async def test_hello_comes_first_and_is_checked(socket: str) -> None:
    silent = await Link.connect(socket)
    assert (await refusal(silent.request("reserve", session="a"))).code == "link_closed"
    await silent.close()
    for protocol, role, code in ((2, "connector", "unsupported_protocol"), (1, "spectator", "bad_request")):
        link = await Link.connect(socket)
        assert (await refusal(link.request("hello", protocol=protocol, role=role))).code == code
        await link.close()
