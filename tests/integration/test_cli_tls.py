"""The command line over HTTPS: the certificate of the configuration is the one that counts."""

import ipaddress
import ssl
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from aiohttp.test_utils import TestClient
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from daemon.api import Role, build_app
from daemon.metrics.exporter import Exporter
from tests.fixtures_api import TOKENS, ApiServer, settings
from tests.fixtures_cli import Shell
from tests.memory_backend import MemoryBackend


def certificate(directory: Path, name: str) -> tuple[Path, Path]:
    """A self-signed certificate for a name that is not the address it is used at, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"{name}.example")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("192.0.2.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    paths = directory / f"{name}.pem", directory / f"{name}.key"
    paths[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    paths[1].write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return paths


@pytest.fixture
async def port(memory: MemoryBackend, tmp_path: Path) -> AsyncIterator[int]:
    """The port of a daemon that serves HTTPS with the certificate `own`."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*certificate(tmp_path, "own"))
    server = ApiServer(build_app(memory, settings(), Exporter(memory, "1", lambda: None)), scheme="https")
    await server.start_server(ssl=context)
    async with TestClient(server):
        assert server.port is not None
        yield server.port


def configure(state: Path, port: int, name: str) -> str:
    path = state / "wavigil.yaml"
    path.write_text(
        f"state_dir: {state}\n"
        f"http: {{listen: '127.0.0.1:{port}', tls: {{certificate: {state}/{name}.pem, key: {state}/{name}.key}}}}\n"
    )
    (state / "admin.token").write_text(TOKENS[Role.ADMIN])
    return str(path)


async def test_the_configured_certificate_is_trusted_whatever_its_name(shell: Shell, state: Path, port: int) -> None:
    result = await shell("status", "--config", configure(state, port, "own"))
    assert result.status == 0, result.err
    assert "opens-1" in result.out


async def test_no_other_certificate_is(shell: Shell, state: Path, port: int) -> None:
    certificate(state, "other")
    result = await shell("status", "--config", configure(state, port, "other"))
    assert result.status == 1
    assert "no safe connection" in result.err


async def test_an_address_by_hand_needs_a_certificate_that_the_system_trusts(
    shell: Shell, state: Path, port: int
) -> None:
    configure(state, port, "own")
    token_file = str(state / "admin.token")
    result = await shell("status", "--url", f"https://127.0.0.1:{port}", "--token-file", token_file)
    assert result.status == 1
    assert "no safe connection" in result.err
