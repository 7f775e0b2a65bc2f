from collections.abc import Sequence

import pytest

from daemon.backend import Backend, SessionRecord
from tests.contract.backend_contract import BackendContract, BackendFactory
from tests.memory_backend import Behaviour, MemoryBackend


class TestMemoryBackend(BackendContract):
    @pytest.fixture
    def backend_factory(self) -> BackendFactory:
        async def make(sessions: Sequence[tuple[SessionRecord, Behaviour]]) -> Backend:
            backend = MemoryBackend()
            for record, behaviour in sessions:
                backend.seed(record, behaviour)
            return backend

        return make
