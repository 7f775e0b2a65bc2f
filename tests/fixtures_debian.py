"""Bare Debian machines for tests: a root of its own in namespaces of its own, which leave nothing behind.

A machine has the network of its host and the host's client configuration of pip, npm and apt, so that it
reaches the package registries as the host does.
"""

import asyncio
import os
import re
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

SUITE = "bookworm"
PACKAGES = "python3,python3-venv,make,git,ca-certificates"
"""What the README asks for, and the certificates without which nothing can be downloaded; nothing else."""

USER = "newcomer"

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"
_CLIENT_FILES = (
    "/etc/pip.conf",
    "/etc/xdg/pip",
    "/etc/apt/apt.conf.d",
    "/etc/apt/sources.list",
    _CERTIFICATES,
)
_APT_SOURCES = "/etc/apt/sources.list.d"
_USER_FILES = (".config/pip/pip.conf", ".pip/pip.conf", ".npmrc")
_CLIENT_ENVIRONMENT = re.compile(
    r"(pip|npm_config)_\w+|(https?|ftp|no|all)_proxy|(ssl_cert|requests_ca|curl_ca|node_extra_ca|git_ssl)_\w+",
    re.IGNORECASE,
)
_MOUNT = """
mount -t proc proc "$1/proc"
mount -t sysfs -o ro sysfs "$1/sys"
mount -t tmpfs -o mode=1777 tmpfs "$1/dev/shm"
mount -t devpts -o newinstance,ptmxmode=0666 devpts "$1/dev/pts"
echo ready
while :; do sleep 3600 & wait; done
"""
"""The first process of a machine; as bash it also reaps what others leave."""


@dataclass(frozen=True, slots=True)
class Debian:
    """A running machine."""

    root: Path
    init: psutil.Process

    async def start(self, script: str, *, user: str = USER) -> asyncio.subprocess.Process:
        """Starts a bash script in the user's home; its output, stderr included, is read from `stdout`."""
        home = "/root" if user == "root" else f"/home/{user}"
        environ = {key: value for key, value in os.environ.items() if _CLIENT_ENVIRONMENT.fullmatch(key)}
        environ |= {"HOME": home, "USER": user, "PATH": _PATH, "LANG": "C.UTF-8"}
        environ |= {"NPM_CONFIG_GLOBALCONFIG": "/etc/npmrc"}
        return await asyncio.create_subprocess_exec(
            *("nsenter", "--target", str(self.init.pid), "--mount", "--pid"),
            *("chroot", f"--userspec={user}:{user}", str(self.root)),
            *("env", "--chdir", home, "bash", "-euo", "pipefail", "-c", script),
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )

    async def run(self, script: str, *, user: str = USER) -> str:
        """Runs a bash script to its end; the output is shown if it fails."""
        process = await self.start(script, user=user)
        output, _ = await process.communicate()
        text = output.decode(errors="replace")
        assert process.returncode == 0, f"{script!r} ended with {process.returncode}:\n{text}"
        return text

    def processes(self) -> list[psutil.Process]:
        """What runs in the machine beside its first process."""
        ours = _pid_namespace(self.init.pid)
        own = {self.init.pid, *(child.pid for child in self.init.children() if child.name() == "sleep")}
        return [
            process
            for process in psutil.process_iter()
            if process.pid not in own and _pid_namespace(process.pid) == ours
        ]


@pytest.fixture(scope="session")
def debian_image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The files of a bare Debian 12, as a tar that every machine of this run starts from."""
    for program in ("debootstrap", "unshare", "nsenter"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")
    if subprocess.run(["unshare", "--mount", "--pid", "--fork", "true"], check=False).returncode != 0:
        pytest.skip("may not make namespaces (needs CAP_SYS_ADMIN)")
    folder = tmp_path_factory.mktemp("debian")
    root, image = folder / "root", folder / "image.tar"
    try:
        command = ["debootstrap", "--variant=minbase", f"--include={PACKAGES}", SUITE, str(root)]
        made = subprocess.run([*command, *_mirror()], capture_output=True, text=True, check=False)
        assert made.returncode == 0, made.stdout + made.stderr
        subprocess.run(["tar", "-C", root, "-cf", image, "."], check=True)
        shutil.rmtree(root)
        yield image
    finally:
        shutil.rmtree(folder)


@pytest.fixture
async def debian(debian_image: Path, tmp_path: Path) -> AsyncIterator[Debian]:
    """A freshly installed machine with one ordinary user; gone afterwards, with all that ran in it."""
    root = tmp_path / "machine"
    root.mkdir()
    unpack = await asyncio.create_subprocess_exec("tar", "-C", root, "-xf", debian_image)
    assert await unpack.wait() == 0
    _configure_clients(root)
    # Mounts and processes end with the first process: the kernel cleans up, whatever happens to this test.
    holder = await asyncio.create_subprocess_exec(
        *("unshare", "--mount", "--pid", "--fork", "--kill-child"),
        *("bash", "-euc", _MOUNT, "init", str(root)),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
    )
    try:
        assert holder.stdout is not None
        assert await holder.stdout.readline() == b"ready\n"
        (init,) = psutil.Process(holder.pid).children()
        machine = Debian(root, init)
        await machine.run(f"useradd --create-home --shell /bin/bash {USER}", user="root")
        _configure_user(root / "root")
        _configure_user(root / "home" / USER)
        await machine.run(f"chown -R {USER}: /home/{USER}", user="root")
        yield machine
    finally:
        for child in psutil.Process(holder.pid).children() if holder.returncode is None else []:
            child.kill()
        await holder.wait()
        shutil.rmtree(root)


def _pid_namespace(pid: int) -> str | None:
    """Names the namespace; None for a process that has ended."""
    try:
        return str(Path(f"/proc/{pid}/ns/pid").readlink())
    except OSError:
        return None


def _mirror() -> list[str]:
    """Where the host gets Debian's packages from; nothing if it is no Debian of the same release."""
    if shutil.which("apt-get") is None:
        return []
    query = ["apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages"]
    answer = subprocess.run([*query, f"Codename: {SUITE}"], capture_output=True, text=True, check=False)
    return answer.stdout.split()[:1]


def _configure_clients(root: Path) -> None:
    """Gives the machine the host's configuration of pip, apt and npm, as far as it stands in files."""
    sources = [path for kind in ("*.sources", "*.list") for path in Path(_APT_SOURCES).glob(kind)]
    if sources:
        (root / "etc/apt/sources.list").unlink(missing_ok=True)  # debootstrap's own names the same packages again
    for source in [*map(Path, _CLIENT_FILES), *sources]:
        _copy(source, root / source.relative_to("/"))
    npm = shutil.which("npm")
    if npm:
        _copy(Path(npm).parent.parent / "etc/npmrc", root / "etc/npmrc")


def _configure_user(home: Path) -> None:
    for name in _USER_FILES:
        _copy(Path.home() / name, home / name)


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, dirs_exist_ok=True)
    elif source.is_file():
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
