"""Canaries: secrets of a test that are looked for in everything that comes out, or stays behind."""

from __future__ import annotations

import base64
import copy
import dataclasses
import inspect
import json
import pickle
import traceback
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import FrameType
from typing import Any, Final
from urllib.parse import quote, quote_plus

from kyc_verify.errors import UsageError
from kyc_verify.terms import Secret
from kyc_verify.testing._leaks.doing import IN_A_LOOP, USE, carried_out, checked, in_a_loop, of_tests, own_frames
from kyc_verify.testing._leaks.kept import audited, reader_of
from kyc_verify.testing._leaks.logs import listening
from kyc_verify.testing._leaks.objects import everything, shown
from kyc_verify.testing.bench import AsyncBench, Bench
from kyc_verify.testing.stores import is_async, unwrapped

__all__ = ["Hunter", "assert_leaks_nothing", "spellings"]

_SHORTEST: Final = 6
"""Shorter ones are in any page of hexadecimal by chance."""
_APART: Final = b"\x00\n\x00"
"""Between what two things show: no canary is found across them."""
_LIKE: Final = "canaries={'the answer': 'Papageiengasse'}"


def spellings(secret: str | bytes) -> set[bytes]:
    """Return a secret in every spelling that a leak may have: as it is, folded, hexadecimal, Base64, escaped ..."""
    raw = secret if isinstance(secret, bytes) else secret.encode("utf-8", "surrogatepass")
    found = {raw, raw.hex().encode(), base64.b64encode(raw).rstrip(b"="), base64.urlsafe_b64encode(raw).rstrip(b"=")}
    found.add(repr(raw)[2:-1].encode())
    if isinstance(secret, bytes):
        return found
    folded = secret.casefold()
    found |= {
        folded.encode("utf-8", "surrogatepass"),
        folded.replace(" ", "").encode("utf-8", "surrogatepass"),
        secret.upper().encode("utf-8", "surrogatepass"),
        secret.encode("utf-16-le", "surrogatepass"),
        repr(secret)[1:-1].encode("utf-8", "surrogatepass"),
        json.dumps(secret)[1:-1].encode(),
        quote(raw).encode(),
        quote_plus(raw).encode(),
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

    def in_error(self, error: BaseException, *, own: Callable[[FrameType], bool] = of_tests) -> set[str]:
        """Look through an error: all that can be reached from it, its chain, and the locals of every frame.

        Args:
            error: Which.
            own: Tells the frames to leave out. By default those of tests, of pytest and Hypothesis, and of this kit:
                they hold the canaries on purpose.
        """
        return set().union(*self._places(error, own).values())

    def in_object(self, thing: Any) -> set[str]:  # noqa: ANN401
        """Look through what an object shows of itself, what can be reached from it, and what can be made of it.

        Not followed are modules, classes and functions, nor what holds secrets on purpose: a `Secret`, hashers,
        keyrings, stores, senders, verifiers, benches, doubles.
        """
        reached = list(everything(thing))
        found = self.hunt(_APART.join(text for each in reached for text in shown(each)), repr(thing), f"{thing}")
        for make in (pickle.dumps, copy.copy, copy.deepcopy, dataclasses.asdict):
            try:
                made = make(thing)
            except Exception:  # noqa: BLE001, S112 - refused is as good as empty
                continue
            found |= self.hunt(made if isinstance(made, bytes) else repr(made))
        if callable(plain := getattr(thing, "as_dict", None)):
            found |= self.hunt(plain())
        for error in reached:
            if isinstance(error, BaseException):
                found |= self.in_error(error)
        return found

    def in_store(self, store: Any) -> set[str]:  # noqa: ANN401
        """Look through all that a store keeps: its file, its memory, or the rows of its tables.

        Raises:
            UsageError: nobody knows how to read such a store.
        """
        if (read := reader_of(store)) is None:
            raise UsageError(_unread(store))
        return self.hunt(*read())

    def _places(self, error: BaseException, own: Callable[[FrameType], bool]) -> dict[str, set[str]]:
        reached = list(everything(error))
        places = {"the exception": self.hunt(_APART.join(text for each in reached for text in shown(each)))}
        for each in reached:
            frames = traceback.walk_tb(each.__traceback__) if isinstance(each, BaseException) else ()
            for frame, line in frames:
                if not own(frame):
                    code = frame.f_code
                    held = [code.co_filename, code.co_name, *(_local(*pair) for pair in list(frame.f_locals.items()))]
                    where = f"the exception, in the locals of {code.co_name} ({Path(code.co_filename).name}:{line})"
                    places.setdefault(where, set()).update(self.hunt(_APART.decode().join(held)))
        return places


def _local(name: str, value: object) -> str:
    try:
        return f"{name} = {value!r}"
    except Exception:  # noqa: BLE001 - a traceback does without it too
        return name


def _unread(store: object) -> str:
    return (
        f"what a {type(unwrapped(store)).__name__} keeps cannot be read here, as the library's own stores can: name "
        "its files with files=[...], or leave bench= out and search what it keeps yourself"
    )


def _named(canaries: object) -> dict[str, str | bytes]:
    """Return the canaries by name.

    Raises:
        UsageError: they are none.
    """
    if isinstance(canaries, str | bytes) or not isinstance(canaries, Iterable):
        raise UsageError(USE)
    if isinstance(canaries, Mapping):
        given = {str(name): secret for name, secret in canaries.items()}
    else:
        given = {f"canary {at}": each for at, each in enumerate(canaries)}
    for name, secret in given.items():
        if isinstance(secret, Secret):
            msg = f"{name!r} is a Secret: give the text that is looked for, {name!r}: secret.reveal()"
            raise UsageError(msg)
        if not isinstance(secret, str | bytes):
            msg = f"{name!r} is of type {type(secret).__name__}: write the text as it would be seen, {_LIKE}"
            raise UsageError(msg)
    if not given or any(len(secret) < _SHORTEST for secret in given.values()):
        msg = f"canaries are at least one secret of {_SHORTEST} or more characters: shorter ones are found by chance"
        raise UsageError(msg)
    return given


def _paths(files: object) -> list[Path]:
    """Return the files to look through.

    Raises:
        UsageError: they are not given as a list.
    """
    given = list(files) if isinstance(files, Iterable) and not isinstance(files, str | bytes) else [None]
    paths = [Path(path) for path in given if isinstance(path, str | Path)]
    if len(paths) < len(given):
        msg = "files are a list of paths: write files=['app.log']"
        raise UsageError(msg)
    return paths


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        msg = f"{path} cannot be read ({error.strerror}): name files that are there when all is done"
        raise UsageError(msg) from None


def _check_bench(bench: object, paths: list[Path]) -> None:
    """Refuse a bench that could not be looked through afterwards.

    Raises:
        UsageError: it is none, or its store cannot be read here.
    """
    if not isinstance(bench, Bench | AsyncBench):
        msg = f"bench= takes a Bench or an AsyncBench, not a {type(bench).__name__}: write bench=bench"
        raise UsageError(msg)
    if is_async(bench.store) and in_a_loop():
        raise UsageError(IN_A_LOOP)
    if reader_of(bench.store) is None and not paths:
        raise UsageError(_unread(bench.store))


def assert_leaks_nothing(
    do: Callable[[], Any],
    canaries: Mapping[str, str | bytes] | Iterable[str | bytes],
    *,
    bench: Bench | AsyncBench | None = None,
    files: Iterable[str | Path] = (),
) -> Any:  # noqa: ANN401 - what `do` returned
    """Do something, and look for secrets in all that came of it.

    In the result and all that can be reached from it, its copies and pickles; in what was raised, its chain and the
    locals of its frames; in what any logger said at DEBUG or above; with a bench, in its audit log and all that its
    store keeps; in files.

    Not looked into are modules, classes and functions, and what holds secrets on purpose: a `Secret`, hashers,
    keyrings, stores, senders, verifiers, benches and doubles. The locals of tests, of pytest and of this kit are not
    looked at either. From a result 50,000 objects are reached at most, the nearest first.

    Args:
        do: What is done. What it returns is awaited, and a generator is run out.
        canaries: Secrets of at least 6 characters, by name or just so.
        bench: Whose audit log and store are looked through afterwards.
        files: Further files; with a store that cannot be read here, its own.

    Returns:
        What `do` returned, awaited, or the list of what it generated; None when it raised an exception that leaks
        nothing.

    Raises:
        AssertionError: with the names and places of what was found, never the secrets.
        UsageError: no canaries, or one too short to tell from chance; a store that cannot be read; a coroutine while
            an event loop runs.

    Example:
        >>> assert_leaks_nothing(lambda: "nothing to see", {"the answer": "Papageiengasse"})
        'nothing to see'
    """
    do, hunter, paths = checked(do), Hunter(_named(canaries)), _paths(files)
    if bench is not None:
        _check_bench(bench, paths)
    own = own_frames(do, inspect.currentframe())
    with listening() as logged:
        result, besides, error = carried_out(do)
    places = {} if error is None else hunter._places(error, own)  # noqa: SLF001 - of this module
    places["the result"] = hunter.in_object(result) | hunter.in_object(besides)
    places["the log"] = hunter.hunt(_APART.join(logged))
    if bench is not None:
        places["the audit log"] = hunter.hunt(*audited(bench.store, bench.tenant))
        places["the store"] = hunter.hunt(*(reader() if (reader := reader_of(bench.store)) else ()))
    for path in paths:
        places[f"the file {path}"] = hunter.hunt(_read(path))
    if found := [f"{', '.join(sorted(names))} in {place}" for place, names in places.items() if names]:
        msg = f"leaked: {'; '.join(found)}"
        raise AssertionError(msg)
    return result
