"""What was stored once verifies for ever: frozen vectors, and a second implementation from the documentation."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from argon2.low_level import Type, hash_secret_raw

from kyc_verify.answers import Forms
from kyc_verify.credentials import Argon2Profile, Credential
from kyc_verify.hashing import AnswerContext, Keyring, SecretHasher
from kyc_verify.hashing.keyring import Label
from kyc_verify.terms import Outcome

KEPT: dict[str, Any] = json.loads((Path(__file__).parent.parent / "vectors" / "credentials_v1.json").read_text("utf-8"))
KEY = bytes.fromhex(KEPT["key"]["hex"])
HASHER = SecretHasher(Keyring({"v1": KEY}), profile="owasp")
ROTATED = SecretHasher(Keyring({"v2": hashlib.sha256(b"another").digest(), "v1": KEY}), profile="owasp")
CASES = pytest.mark.parametrize(
    "case", KEPT["credentials"], ids=[c["credential"]["check"] for c in KEPT["credentials"]]
)


# ── The documentation's formulas, without the library ────────────────────────────────────────────────────────────────


def framed(*parts: str | int | bytes) -> bytes:
    written = [part if isinstance(part, bytes) else str(part).encode() for part in parts]
    return b"".join(len(part).to_bytes(4, "big") + part for part in written)


def tag(key: bytes, *parts: str | int | bytes) -> bytes:
    return hmac.new(key, framed(*parts), hashlib.sha256).digest()


def derived(label: str) -> bytes:
    extracted = hmac.new(b"kyc_verify keyring 1", KEY, hashlib.sha256).digest()
    return hmac.new(extracted, label.encode() + b"\x01", hashlib.sha256).digest()


def slow_key(case: dict[str, Any], salt: bytes) -> bytes:
    row, costs = case["credential"], case["credential"]["profile"]
    password = tag(derived("pepper"), "answer", context(row), case["forms"]["coarse"])
    return hash_secret_raw(password, salt, costs["time"], costs["memory"], costs["parallelism"], 32, Type.ID)


def context(row: dict[str, Any]) -> bytes:
    return framed(1, row["tenant"], row["subject"], row["check"], row["kind"], row["forms_version"])


# ── The library's view ───────────────────────────────────────────────────────────────────────────────────────────────


def credential(row: dict[str, Any]) -> Credential:
    fields = dict(row)
    for name in ("salt", "full", "near", "seal"):
        fields[name] = None if row[name] is None else bytes.fromhex(row[name])
    fields["typo"] = tuple(bytes.fromhex(one) for one in row["typo"])
    fields["profile"] = Argon2Profile(**row["profile"])
    fields["enrolled_at"] = datetime.fromisoformat(row["enrolled_at"])
    return Credential(**fields)


def forms(case: dict[str, Any]) -> Forms:
    return Forms(**{**case["forms"], "typo": tuple(case["forms"]["typo"])})


def about(case: dict[str, Any]) -> AnswerContext:
    names = AnswerContext.__required_keys__
    return {name: case["credential"][name] for name in names}  # type: ignore[return-value]


@CASES
def test_what_was_stored_verifies(case: dict[str, Any]) -> None:
    for hasher in (HASHER, ROTATED):
        got = hasher.verify(credential(case["credential"]), forms(case), **about(case))
        assert (got.outcome, got.alarm) == (Outcome.PASS, None)
        assert got.mark == case["mark"]
        assert hasher.same_try(case["mark"], forms(case), **about(case))


@CASES
def test_what_was_stored_fails_another_answer_and_another_customer(case: dict[str, Any]) -> None:
    kept = credential(case["credential"])
    other = Forms(coarse=case["forms"]["coarse"], fine="another")
    assert HASHER.verify(kept, other, **about(case)).outcome is Outcome.FAIL
    elsewhere: AnswerContext = {**about(case), "subject": "cust-43"}
    assert HASHER.verify(kept, forms(case), **elsewhere).alarm == "bad_seal"
    assert HASHER.verify(replace(kept, enrolled_by="x"), forms(case), **about(case)).alarm == "bad_seal"


@CASES
def test_what_was_stored_follows_the_documented_formulas(case: dict[str, Any]) -> None:
    row = case["credential"]
    salt, costs = bytes.fromhex(row["salt"]), row["profile"]
    key = slow_key(case, salt)
    assert row["full"] == tag(key, "full", case["forms"]["fine"]).hex()
    assert row["near"] == (tag(key, "near").hex() if case["forms"]["near"] else None)
    quick = tag(derived("pepper"), "typo", context(row), salt)
    assert row["typo"][: len(case["forms"]["typo"])] == [
        tag(quick, "typo", one)[:16].hex() for one in case["forms"]["typo"]
    ]
    instant = datetime.fromisoformat(row["enrolled_at"]) - datetime.fromisoformat("1970-01-01T00:00:00+00:00")
    seal = tag(
        derived("seal"),
        "seal",
        context(row),
        row["scheme"],
        costs["memory"],
        costs["time"],
        costs["parallelism"],
        salt,
        row["key_id"],
        bytes.fromhex(row["full"]),
        bytes.fromhex(row["near"] or ""),
        framed(*(bytes.fromhex(one) for one in row["typo"])),
        instant // timedelta(microseconds=1),
        row["enrolled_by"],
        row["enrolled_call"] or "",
    )
    assert row["seal"] == seal.hex()
    made = f"{costs['memory']},{costs['time']},{costs['parallelism']},{row['forms_version']}"
    written = f"{made}${base64.urlsafe_b64encode(salt).decode()}$v1$"
    assert case["mark"] == written + tag(key, "try", case["forms"]["fine"]).hex()[:32]


def test_the_derived_keys_are_those_of_the_first_version() -> None:
    assert {label.value: HASHER.keyring.key(label).hex() for label in Label} == KEPT["derived"]
    assert {label: derived(label).hex() for label in KEPT["derived"]} == KEPT["derived"]


def test_a_stored_code_still_matches() -> None:
    kept = KEPT["code"]
    assert HASHER.code_tag(kept["code"], **kept["context"]) == kept["tag"]
    assert ROTATED.code_matches(kept["tag"], kept["code"], **kept["context"])
    inner = framed(*kept["context"].values())
    assert kept["tag"] == "v1$" + tag(derived("code"), "code", inner, kept["code"]).hex()


def test_a_grant_is_still_derived() -> None:
    kept = KEPT["grant"]
    token = HASHER.grant_token(kept["session"], kept["turn"])
    assert token == ROTATED.grant_token(kept["session"], kept["turn"], key_id="v1") == kept["token"]
    assert SecretHasher.grant_digest(token).hex() == kept["digest"] == hashlib.sha256(token.encode()).hexdigest()
    inner = framed(kept["session"], kept["turn"])
    assert token == base64.urlsafe_b64encode(tag(derived("grant"), "grant", inner)[:16]).decode().rstrip("=")


def test_names_and_fingerprints_are_still_the_same() -> None:
    number, window, order = KEPT["number"], KEPT["window"], KEPT["order"]
    for hasher in (HASHER, ROTATED):
        prints = hasher.number_fingerprints(number["number"], extension=number["extension"], **number["context"])
        assert prints[-1] == number["fingerprint"]
        assert hasher.window_key(window["label"], *window["parts"]) == window["name"]
        assert hasher.order_draw(*order["parts"]).hex() == order["draw"]
    where = framed(*number["context"].values(), number["number"], number["extension"])
    assert number["fingerprint"] == "v1$" + tag(derived("contact"), "number", where).hex()[:32]
    named = tag(derived("window"), "window", framed(window["label"], *window["parts"]))
    assert window["name"] == named.hex()[:32]
    assert order["draw"] == tag(derived("order"), "order", framed(*order["parts"])).hex()
