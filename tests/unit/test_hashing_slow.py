"""Argon2id: the published vectors, what is too cheap and too dear, and what happens when it is not there."""

from __future__ import annotations

import json
import subprocess
import sys
import traceback
from pathlib import Path
from typing import Any

import argon2.exceptions
import argon2.low_level
import pytest
from argon2.low_level import ffi, lib

from kyc_verify.credentials import Argon2Profile
from kyc_verify.errors import Busy, ConfigurationError
from kyc_verify.hashing import Keyring, SecretHasher
from kyc_verify.hashing.slow import FLOOR, PROFILES, argon2id, bounded, cost, profile

KAT: dict[str, Any] = json.loads((Path(__file__).parent.parent / "vectors" / "rfc9106_argon2.json").read_text())


def costs(memory: int = 65536, time: int = 3, parallelism: int = 4) -> Argon2Profile:
    return Argon2Profile(memory=memory, time=time, parallelism=parallelism)


def test_the_library_gives_the_tag_of_rfc_9106() -> None:
    """Section 5.3; with a secret and associated data, which only the lowest level takes."""
    given = KAT["common_input"]
    parts = {name: bytes.fromhex(given[f"{name}_hex"]) for name in ("password", "salt", "secret", "associated_data")}
    buffers = {name: ffi.new("uint8_t[]", part) for name, part in parts.items()}
    out = ffi.new("uint8_t[]", given["tag_len"])
    context = ffi.new(
        "argon2_context *",
        {
            "version": given["version"],
            "out": out,
            "outlen": given["tag_len"],
            "pwd": buffers["password"],
            "pwdlen": len(parts["password"]),
            "salt": buffers["salt"],
            "saltlen": len(parts["salt"]),
            "secret": buffers["secret"],
            "secretlen": len(parts["secret"]),
            "ad": buffers["associated_data"],
            "adlen": len(parts["associated_data"]),
            "t_cost": given["iterations"],
            "m_cost": given["memory_kib"],
            "lanes": given["parallelism"],
            "threads": given["parallelism"],
            "allocate_cbk": ffi.NULL,
            "free_cbk": ffi.NULL,
            "flags": lib.ARGON2_DEFAULT_FLAGS,
        },
    )
    assert argon2.low_level.core(context, lib.Argon2_id) == lib.ARGON2_OK
    assert bytes(ffi.buffer(out)).hex() == KAT["tags_hex"]["argon2id"]


@pytest.mark.parametrize("case", KAT["phc_strings"][2:4], ids=["p1", "p2"])
def test_ours_is_the_argon2id_of_the_reference_strings(case: dict[str, str]) -> None:
    _, _, _, written, _, digest = case["encoded"].split("$")
    memory, time, lanes = (int(part[2:]) for part in written.split(","))
    got = argon2id(case["password"].encode(), case["salt"].encode(), costs(memory, time, lanes))
    assert argon2.low_level.verify_secret(case["encoded"].encode(), case["password"].encode(), argon2.low_level.Type.ID)
    assert got == _base64(digest)


def _base64(text: str) -> bytes:
    import base64  # noqa: PLC0415

    return base64.b64decode(text + "=" * (-len(text) % 4))


def test_the_profiles_are_the_published_ones() -> None:
    floors = KAT["parameter_floors"]
    second = floors["rfc9106_second"]
    assert PROFILES["rfc9106_low_memory"] == costs(second["m_kib"], second["t"], second["p"])
    assert PROFILES["owasp"] == costs(19456, 2, 1)
    assert [(row.memory, row.time) for row in FLOOR] == [(row["m_kib"], row["t"]) for row in floors["owasp_min"]]
    assert SecretHasher(Keyring({"1": bytes(range(32))})).profile == PROFILES["rfc9106_low_memory"]


@pytest.mark.parametrize(
    "given",
    ["owasp", "rfc9106_low_memory", *FLOOR, costs(19456, 2, 4), costs(50000, 1, 1), costs(1 << 21, 1, 4)],
    ids=str,
)
def test_what_is_at_least_owasps_minimum_is_taken(given: str | Argon2Profile) -> None:
    taken = profile(given)
    assert taken == PROFILES.get(str(given), given)


@pytest.mark.parametrize(
    "given",
    [
        "bcrypt",
        "",
        None,
        7,
        (19456, 2, 1),
        costs(19455, 2, 1),
        costs(19456, 1, 1),
        costs(47103, 1, 1),
        costs(12287, 3, 1),
        costs(9215, 4, 1),
        costs(7167, 64, 1),
        costs(8, 1, 1),
        costs((1 << 21) + 1, 1, 1),
        costs(65536, 65, 1),
        costs(1 << 21, 3, 4),
        costs(65536, 3, 17),
        costs(65536, 3, 0),
        costs(65536, 0, 1),
        costs(-1, 3, 1),
        costs(65536.0, 3, 1),  # type: ignore[arg-type]
        costs(parallelism=True),
        costs("65536", 3, 1),  # type: ignore[arg-type]
    ],
    ids=str,
)
def test_kb_10_12_what_is_weaker_or_absurd_is_refused(given: object) -> None:
    with pytest.raises(ConfigurationError, match="no weaker than OWASP's minimum"):
        profile(given)
    assert not bounded(given)
    with pytest.raises(ConfigurationError, match="no weaker than OWASP's minimum"):
        SecretHasher(Keyring({"1": bytes(range(32))}), profile="owasp", older_profiles=[given])  # type: ignore[list-item]


def test_a_profile_needs_eight_blocks_a_lane() -> None:
    tiny = (costs(8, 1, 1),)
    assert bounded(costs(8, 1, 1), tiny)
    assert not bounded(costs(15, 1, 2), tiny)


def test_profiles_are_ordered_by_what_they_fill_and_hold() -> None:
    assert cost(costs(19456, 2, 1)) < cost(costs(47104, 1, 1)) < cost(costs(65536, 3, 4))
    assert cost(costs(20000, 4, 1)) < cost(costs(40000, 2, 1))
    assert cost(costs(47104, 1, 1)) < cost(costs(19456, 4, 1))


def test_re_03_no_memory_is_busy_and_leaves_no_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> bytes:
        raise argon2.exceptions.HashingError(str(_))

    monkeypatch.setattr(argon2.low_level, "hash_secret_raw", fails)
    with pytest.raises(Busy, match="not enough memory") as caught:
        argon2id(b"CANARY", b"0123456789abcdef", costs())
    assert caught.value.__context__ is None
    frames = traceback.TracebackException.from_exception(caught.value, capture_locals=True).stack
    assert "CANARY" not in str(frames[-1].locals)


@pytest.mark.parametrize("broken", [None, "raises"])
def test_sc_04_without_the_library_there_is_no_hasher(broken: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    if broken is None:
        monkeypatch.setitem(sys.modules, "argon2.low_level", None)
    else:
        monkeypatch.delitem(sys.modules, "argon2.low_level")
        monkeypatch.setattr("_argon2_cffi_bindings.lib", object())
    with pytest.raises(ConfigurationError, match="argon2-cffi cannot be loaded"):
        SecretHasher(Keyring({"1": bytes(range(32))}), profile="owasp")


def test_importing_the_room_does_not_load_the_library() -> None:
    code = "import sys, kyc_verify.hashing; sys.exit('argon2' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
