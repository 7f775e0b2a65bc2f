"""A state machine over the real storage: whatever happens, older auth state never overwrites newer."""

import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from actors.store.migrate import upgrade
from actors.store.tables import Kind
from actors.vault.errors import Fenced, VaultError
from actors.vault.keyring import MasterKeys
from actors.vault.requests import Claim, Commit, Load, Request, Reserve, Reset
from actors.vault.storage import Answer, Storage
from tests.integration.vaults import MASTER_KEY

pytestmark = pytest.mark.integration

SESSIONS = st.sampled_from(["a", "b"])
GENERATIONS = st.integers(1, 6)
KEYS = st.sampled_from(["creds", "x", "y"])
SET = st.dictionaries(KEYS, st.binary(max_size=4), max_size=3)
CHANGES = st.tuples(SET, st.frozensets(KEYS)).map(lambda pair: (pair[0], pair[1] - pair[0].keys()))


class Expected:
    """One session as it must be."""

    def __init__(self) -> None:
        self.reserved = 0
        self.current = 0
        self.paired = False
        self.entries: dict[str, bytes] = {}

    def apply(self, request: Request) -> Answer | None:
        """The expected answer, or None for fenced."""
        if isinstance(request, Reserve):
            self.reserved += 1
            return {"generation": self.reserved, "replaced": 0}
        if isinstance(request, Claim):
            if not self.current <= request.generation <= self.reserved:
                return None
            self.current = request.generation
            return {"paired": self.paired}
        if request.generation != self.current:
            return None
        if isinstance(request, Load):
            return {"entries": dict(self.entries), "next": None}
        if isinstance(request, Commit):
            self.entries |= request.entries
            self.entries = {key: value for key, value in self.entries.items() if key not in request.deleted}
            self.paired = self.paired if request.paired is None else request.paired
        else:
            self.entries = {}
            self.paired = False
        return {}


class VaultMachine(RuleBasedStateMachine):
    """Two processes' storages on one file (a vault that hangs, and its successor), batches, and crashes."""

    master_key: bytes | None = None

    @initialize()
    def open(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.crashes = 0
        self.path = self.folder / "vault.db"
        upgrade(self.path, Kind.VAULT)
        self.expected = {"a": Expected(), "b": Expected()}
        self.storages = [Storage(self.path, MasterKeys(self.master_key)) for _ in range(2)]

    requests = st.one_of(
        st.builds(Reserve, SESSIONS),
        st.builds(Claim, SESSIONS, GENERATIONS),
        st.builds(Load, SESSIONS, GENERATIONS),
        st.builds(Reset, SESSIONS, GENERATIONS),
        st.builds(
            lambda session, generation, changes, paired: Commit(session, generation, changes[0], changes[1], paired),
            SESSIONS, GENERATIONS, CHANGES, st.none() | st.booleans(),
        ),
    )  # fmt: skip

    @rule(batch=st.lists(requests, min_size=1, max_size=8), process=st.integers(0, 1))
    def requests_arrive(self, batch: list[Request], process: int) -> None:
        answers = self.storages[process].apply(batch)
        for request, answer in zip(batch, answers, strict=True):
            expected = self.expected[request.session].apply(request)
            if expected is None:
                assert isinstance(answer, Fenced)
            else:
                assert answer == expected

    @rule(session=SESSIONS, process=st.integers(0, 1))
    def an_actor_takes_over(self, session: str, process: int) -> None:
        expected = self.expected[session]
        self.requests_arrive([Reserve(session), Claim(session, expected.reserved + 1)], process)

    @rule(
        session=SESSIONS,
        process=st.integers(0, 1),
        steps=st.lists(CHANGES | st.sampled_from(["load", "reset"]), min_size=1, max_size=5),
    )
    def the_owner_pipelines(
        self, session: str, process: int, steps: list[tuple[dict[str, bytes], frozenset[str]] | str]
    ) -> None:
        generation = self.expected[session].current
        batch: list[Request] = []
        for step in steps if generation else []:
            if isinstance(step, tuple):
                batch.append(Commit(session, generation, step[0], step[1]))
            else:
                batch.append(Load(session, generation) if step == "load" else Reset(session, generation))
        self.requests_arrive(batch, process)

    @rule()
    def crash(self) -> None:
        """What a killed process leaves: the file and its log as they are, nobody having closed them."""
        self.crashes += 1
        image = self.folder / f"crash-{self.crashes}.db"
        shutil.copy(self.path, image)
        shutil.copy(f"{self.path}-wal", f"{image}-wal")
        for storage in self.storages:
            storage.close()
        self.path = image
        upgrade(self.path, Kind.VAULT)
        self.storages = [Storage(self.path, MasterKeys(self.master_key)) for _ in range(2)]

    @invariant()
    def owners_find_what_is_theirs(self) -> None:
        for session, expected in self.expected.items():
            for storage in self.storages:
                (answer,) = storage.apply([Load(session, max(1, expected.current))])
                if expected.current:
                    assert answer == {"entries": expected.entries, "next": None}
                else:
                    assert isinstance(answer, VaultError)

    def teardown(self) -> None:
        for storage in self.storages:
            storage.close()
        shutil.rmtree(self.folder)


class SealedVaultMachine(VaultMachine):
    """The same with a master key."""

    master_key = MASTER_KEY


SETTINGS = settings(max_examples=20, stateful_step_count=25, deadline=None)
TestPlainVault = VaultMachine.TestCase
TestPlainVault.settings = SETTINGS
TestSealedVault = SealedVaultMachine.TestCase
TestSealedVault.settings = SETTINGS
