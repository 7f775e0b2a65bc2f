"""Finds, reads and validates the configuration file; reports everything that is wrong with it at once."""

import difflib
import hashlib
import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from config.context import LoadContext
from config.diagnose import diagnose
from config.document import Document, KeyPath, Plain, Tree, read_document
from config.paths import default_runtime_dir, default_state_dir, unreadable_because
from config.problems import ConfigError, Problem, echo, path_text, unreadable
from config.rules import proxies_expected
from config.schema import Config

DEFAULT_PATH = Path("/etc/wavigil/wavigil.yaml")
PATH_VARIABLE = "WAVIGIL_CONFIG"

LONGEST_FILE = 4 * 1024 * 1024
"""In bytes; a fleet of 1,000 sessions has about 100 KiB."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """A valid configuration and where it came from."""

    config: Config
    source: Path | None
    """The file, or None for the defaults alone."""

    digest: str
    """SHA-256 of the file's text in hex, to tell whether a reload changed anything."""

    lines: dict[KeyPath, int]
    """For each key and list item of the file, its line."""

    session_lines: dict[str, int]
    """For each session of the file, the line where it begins."""

    def session_origin(self, session_id: str) -> str | None:
        """`/etc/wavigil/wavigil.yaml:12` for a session of the file, else None."""
        line = self.session_lines.get(session_id)
        return None if line is None else f"{self.source}:{line}"


def find(explicit: Path | None, environ: Mapping[str, str]) -> Path | None:
    """The file to read: the one asked for, `$WAVIGIL_CONFIG`, or the default one if it exists."""
    if explicit is not None:
        return explicit
    if environ.get(PATH_VARIABLE):
        return Path(environ[PATH_VARIABLE])
    try:
        DEFAULT_PATH.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError:
        # It may exist and not be readable; reading it says so, where defaults would hide it.
        return DEFAULT_PATH
    return DEFAULT_PATH


def check(path: Path | None = None, environ: Mapping[str, str] | None = None) -> Loaded:
    """Load the configuration; without any file that means the defaults.

    Args:
        path: the file asked for; None looks further, see `find`.
        environ: the environment; None is the process's own.

    Raises:
        ConfigError: with everything that is wrong.
    """
    environ = os.environ if environ is None else environ
    source = find(path, environ)
    if source is None:
        return check_text("", None, environ)
    return check_text(_read(source), source, environ)


def check_text(text: str, source: Path | None, environ: Mapping[str, str]) -> Loaded:
    """Validate the text of a configuration file; `source` is its name in errors.

    Raises:
        ConfigError: with everything that is wrong.
    """
    file = "configuration" if source is None else str(source)
    document = read_document(text)
    problems = _flaws(file, document)
    tree = document.tree
    if tree is None and not problems:
        config = Config.model_validate(_with_places({}, environ), context=LoadContext(environ))
        return Loaded(config, source, _digest(text), {}, {})
    if tree is None:
        raise ConfigError(problems)
    lines = {node.path: _line(tree, node) for node in tree.walk() if node.path}
    validated, wrong = _validate(file, tree, environ)
    problems = (*problems, *wrong, *_unreadable_files(file, tree, validated))
    if validated is None or problems:
        raise ConfigError(tuple(sorted(problems, key=lambda problem: (problem.line, problem.column))))
    session_lines = {spec.id: lines["sessions", index] for index, spec in enumerate(validated.sessions)}
    return Loaded(validated, source, _digest(text), lines, session_lines)


def _validate(file: str, tree: Tree, environ: Mapping[str, str]) -> tuple[Config | None, list[Problem]]:
    """Validate, report, leave out what is wrong and validate the rest, until there is nothing new.

    pydantic checks the rules over several values of a section only when each value is right by itself, so one
    validation would not report everything.
    """
    problems = [*_repeated_ids(file, tree), *_unknown_proxies(file, tree)]
    # Each wrong value and all that it is a part of.
    wrong: set[KeyPath] = {("sessions",)} if problems else set()
    while True:
        try:
            plain = _with_places(tree.plain(), environ)
            return Config.model_validate(plain, context=LoadContext(environ)), problems
        except ValidationError as error:
            details = error.errors(include_url=False, include_input=False)
        diagnoses = diagnose(file, tree, details)
        problems += [diagnosis.problem for diagnosis in diagnoses if wrong.isdisjoint(diagnosis.causes)]
        for diagnosis in diagnoses:
            for path in (diagnosis.path, *(node.path for node in diagnosis.doomed)):
                wrong.update(path[:depth] for depth in range(len(path) + 1))
        doomed = [node for diagnosis in diagnoses for node in diagnosis.doomed if node is not tree]
        if not doomed:
            return None, problems
        tree.drop(doomed)


def _with_places(plain: Plain, environ: Mapping[str, str]) -> Plain:
    """Fill in the directories, whose defaults depend on the environment of this load."""
    if plain is None:
        plain = {}
    if not isinstance(plain, dict):
        return plain
    state_dir = plain.get("state_dir", str(default_state_dir(environ)))
    places = {"state_dir": state_dir}
    if isinstance(state_dir, str):
        places["runtime_dir"] = str(default_runtime_dir(environ, Path(state_dir)))
    return {**places, **plain}


def _flaws(file: str, document: Document) -> tuple[Problem, ...]:
    # An anchor's flaw appears once for each of its aliases.
    flaws = dict.fromkeys(document.flaws)
    return tuple(
        Problem(file, flaw.mark.line, flaw.mark.column, path_text(flaw.path), flaw.found, flaw.expected)
        for flaw in flaws
    )


def _repeated_ids(file: str, tree: Tree) -> list[Problem]:
    first: dict[str, int] = {}
    problems = []
    for item in _items(tree, "sessions"):
        node = item.child("id")
        if node is None or not isinstance(node.value, str):
            continue
        if node.value in first:
            found = f"the session id {echo(node.value)} again, as in line {first[node.value]}"
            place = (file, node.mark.line, node.mark.column, path_text(node.path))
            problems.append(Problem(*place, found, "a different id for each session"))
        first.setdefault(node.value, node.mark.line)
    return problems


def _unknown_proxies(file: str, tree: Tree) -> Iterator[Problem]:
    known = [str(node.value) for item in _items(tree, "proxies") if (node := item.child("name")) is not None]
    for item in _items(tree, "sessions"):
        node = item.child("proxy")
        if node is None or not isinstance(node.value, str) or node.value in known:
            continue
        near = difflib.get_close_matches(node.value, known, n=1)
        place = (file, node.mark.line, node.mark.column, path_text(node.path))
        hint = f"did you mean {near[0]}?" if near else ""
        yield Problem(*place, f"the unknown proxy {echo(node.value)}", proxies_expected(known), hint)


def _items(tree: Tree, name: str) -> Sequence[Tree]:
    found = tree.child(name)
    return found.value if found is not None and isinstance(found.value, list) else ()


def _unreadable_files(file: str, tree: Tree, config: Config | None) -> Iterator[Problem]:
    tls = config.http.tls if config is not None else None
    for name in ("certificate", "key") if tls is not None else ():
        why = unreadable_because(getattr(tls, name))
        node = tree.at(("http", "tls", name))
        if why is not None and node is not None:
            mark, path = node.mark, path_text(node.path)
            yield Problem(file, mark.line, mark.column, path, f"a file that can't be read: {why}", "a PEM file")


def _line(tree: Tree, node: Tree) -> int:
    """Where the key of a value stands, or the value itself in a list."""
    parent = tree.at(node.path[:-1])
    mark = parent.keys.get(str(node.path[-1])) if parent is not None else None
    return (mark or node.mark).line


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _read(path: Path) -> str:
    try:
        # Non-blocking, so that a FIFO is refused below instead of waiting for a writer.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise unreadable(path, "something that is not a regular file", "a YAML file")
            content = file.read(LONGEST_FILE + 1)
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise unreadable(path, f"a file that can't be read: {why}", "a readable YAML file") from error
    if len(content) > LONGEST_FILE:
        raise unreadable(path, f"more than {LONGEST_FILE} bytes", "a configuration of moderate size")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        column = error.start - content.rfind(b"\n", 0, error.start)
        problem = Problem(str(path), line, column, "", "a byte that is not UTF-8", "text in UTF-8")
        raise ConfigError((problem,)) from None
