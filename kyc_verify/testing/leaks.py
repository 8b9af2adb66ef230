"""Canaries: secrets of a test that are looked for in everything that comes out, or stays behind."""

from __future__ import annotations

import base64
import copy
import dataclasses
import io
import json
import logging
import pickle
import sqlite3
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from kyc_verify.errors import UsageError
from kyc_verify.stores import MemoryStore, SQLiteStore

if TYPE_CHECKING:
    from kyc_verify.testing.bench import Bench

__all__ = ["Hunter", "assert_leaks_nothing", "spellings"]

_SHORTEST: Final = 6
"""Shorter ones are in any page of hexadecimal by chance."""
_TESTS_OWN: Final = ("/tests/", "kyc_verify/testing", "/test_", "_pytest", "pluggy", "hypothesis")


def spellings(secret: str | bytes) -> set[bytes]:
    """Return a secret in every spelling that a leak may have: as it is, folded, hexadecimal, Base64, escaped ..."""
    raw = secret if isinstance(secret, bytes) else secret.encode("utf-8", "surrogatepass")
    found = {raw, raw.hex().encode(), base64.b64encode(raw).rstrip(b"="), base64.urlsafe_b64encode(raw).rstrip(b"=")}
    if isinstance(secret, bytes):
        return found | {repr(raw)[2:-1].encode()}
    folded = secret.casefold()
    found |= {
        folded.encode("utf-8", "surrogatepass"),
        folded.replace(" ", "").encode("utf-8", "surrogatepass"),
        secret.encode("utf-16-le", "surrogatepass"),
        repr(secret)[1:-1].encode("utf-8", "surrogatepass"),
        json.dumps(secret)[1:-1].encode(),
    }
    return found | ({secret[1:].encode()} if secret.startswith("+") else set())


class Hunter:
    """Knows canaries by name, and finds them in anything; what it returns are names, never the secrets."""

    def __init__(self, canaries: Mapping[str, str | bytes] | None = None) -> None:
        self.canaries: dict[str, set[bytes]] = {}
        for name, secret in (canaries or {}).items():
            self.add(name, secret)

    def add(self, name: str, secret: str | bytes) -> None:
        """Add a canary; one name may have several."""
        self.canaries[f"{name}-{len(self.canaries)}"] = spellings(secret)

    def hunt(self, *things: Any) -> set[str]:
        """Return the names of the canaries that are in what these show."""
        found: set[str] = set()
        for thing in things:
            held = thing if isinstance(thing, bytes) else str(thing).encode("utf-8", "surrogatepass")
            found |= {name for name, all_ in self.canaries.items() if any(each in held for each in all_)}
        return found

    def in_error(self, error: BaseException) -> set[str]:
        """Look through an error: message, arguments, attributes, notes, chain, and the locals of every frame.

        Frames of tests and of this kit are left out: they hold the canaries on purpose.
        """
        found: set[str] = set()
        seen: list[BaseException | None] = [error]
        for each in seen:
            if each is None:
                continue
            inside = each.exceptions if isinstance(each, BaseExceptionGroup) else ()
            seen += [e for e in (each.__cause__, each.__context__, *inside) if e not in seen]
            found |= self.hunt(each, repr(each), each.args, vars(each), getattr(each, "__notes__", ""))
            shown = traceback.TracebackException.from_exception(each, capture_locals=True)
            others = [f for f in shown.stack if not any(own in f.filename for own in _TESTS_OWN)]
            found |= self.hunt([(frame.filename, frame.name, frame.locals) for frame in others])
        return found

    def in_object(self, thing: Any) -> set[str]:  # noqa: ANN401
        """Look through what an object shows of itself, and what can be made of it."""
        found = self.hunt(repr(thing), str(thing), f"{thing}")
        for make in (pickle.dumps, copy.copy, copy.deepcopy, dataclasses.asdict, vars):
            try:
                made = make(thing)
            except Exception:  # noqa: BLE001, S112 - refused is as good as empty
                continue
            found |= self.hunt(made if isinstance(made, bytes) else repr(made))
        if callable(plain := getattr(thing, "as_dict", None)):
            found |= self.hunt(plain())
        return found

    def in_store(self, store: Any) -> set[str]:  # noqa: ANN401
        """Look through the bytes of an embedded store: the file, its log, or the memory."""
        if isinstance(store, SQLiteStore):
            path = Path(store._path)  # noqa: SLF001 - the kit looks into what it tests
            return self.hunt(*[each.read_bytes() for each in sorted(path.parent.glob(f"{path.name}*"))])
        if isinstance(store, MemoryStore):
            with store._reading() as db:  # noqa: SLF001
                return self.hunt(*_rows(db))
        return set()


def _rows(db: sqlite3.Connection) -> Iterator[bytes]:
    for (table,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
        for row in db.execute(f"SELECT * FROM {table}"):  # noqa: S608 - our names
            for cell in row:
                yield cell if isinstance(cell, bytes) else str(cell).encode()


@contextmanager
def _logs() -> Iterator[io.StringIO]:
    out = io.StringIO()
    handler = logging.StreamHandler(out)
    handler.setFormatter(logging.Formatter("%(name)s %(levelname)s %(message)s %(args)s"))
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        yield out
    finally:
        root.setLevel(level)
        root.removeHandler(handler)


def assert_leaks_nothing(
    do: Callable[[], Any],
    canaries: Mapping[str, str | bytes] | Iterable[str | bytes],
    *,
    bench: Bench | None = None,
    files: Iterable[str | Path] = (),
) -> Any:  # noqa: ANN401 - what `do` returned
    """Do something, and look for secrets in all that came of it.

    In the result, its attributes, copies and pickles; in what was raised, its chain and the locals of its frames; in
    logs at DEBUG; with a bench, in its audit log and the bytes of its store; in files.

    Args:
        do: What is done.
        canaries: Secrets of at least 6 characters, by name or just so.
        bench: Whose audit log and store are looked through afterwards.
        files: Further files.

    Returns:
        What `do` returned; None when it raised an exception that leaks nothing.

    Raises:
        AssertionError: with the names and places of what was found, never the secrets.
        UsageError: no canaries, or one too short to tell from chance.
    """
    if isinstance(canaries, str | bytes) or not callable(do):
        msg = "write assert_leaks_nothing(lambda: ..., {'the answer': 'Papageiengasse'})"
        raise UsageError(msg)
    named = canaries if isinstance(canaries, Mapping) else {f"canary {at}": each for at, each in enumerate(canaries)}
    if not named or any(len(secret) < _SHORTEST for secret in named.values()):
        msg = f"canaries are at least one secret of {_SHORTEST} or more characters: shorter ones are found by chance"
        raise UsageError(msg)
    hunter, result, places = Hunter(named), None, dict[str, set[str]]()
    with _logs() as logged:
        try:
            result = do()
        except Exception as error:  # noqa: BLE001 - looked through
            places["the exception"] = hunter.in_error(error)
    places["the result"] = hunter.in_object(result)
    places["the log"] = hunter.hunt(logged.getvalue())
    if bench is not None:
        records = list(bench.store.records(bench.tenant, 0, 1_000_000))  # type: ignore[arg-type]
        places["the audit log"] = hunter.hunt(*[record.as_dict() for record in records])
        places["the store"] = hunter.in_store(bench.store)
    for path in files:
        places[f"the file {path}"] = hunter.hunt(Path(path).read_bytes())
    if found := [f"{', '.join(sorted(names))} in {place}" for place, names in places.items() if names]:
        msg = f"leaked: {'; '.join(found)}"
        raise AssertionError(msg)
    return result
