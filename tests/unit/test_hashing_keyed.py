"""Codes, grants, fingerprints and names."""

from __future__ import annotations

import copy
import pickle
import re
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from kyc_verify.errors import ConfigurationError, UsageError
from kyc_verify.hashing import CodeContext, Keyring, SecretHasher
from kyc_verify.hashing.keyring import Label
from kyc_verify.terms import Secret

ONE, TWO, THREE = (bytes(range(start, start + 32)) for start in (0, 50, 100))
BEFORE = SecretHasher(Keyring({"1": ONE}), profile="owasp")
DURING = SecretHasher(Keyring({"2": TWO, "1": ONE}), profile="owasp")
STAGED = SecretHasher(Keyring({"2": TWO, "1": ONE}, staged=["2"]), profile="owasp")
AFTER = SecretHasher(Keyring({"2": TWO, "1": ONE}, archived=["1"]), profile="owasp")
ABOUT: CodeContext = {
    "tenant": "acme",
    "subject": "cust-42",
    "check": "one_time_code",
    "session": "s-1",
    "send": 0,
    "purpose": "change_phone",
    "stake": "12.5 EUR FR76 3000",
}
NUMBER = "+33142685300"


# ── Codes ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_ot_09_codes_are_uniform() -> None:
    """Chi-square over digit and position, 54 degrees of freedom: 142 is passed once in 10^9 runs."""
    total = 100_000
    codes = [SecretHasher.new_code().reveal() for _ in range(total)]
    assert all(re.fullmatch(r"[0-9]{6}", code) for code in codes)
    cells = Counter((place, digit) for code in codes for place, digit in enumerate(code))
    assert len(cells) == 60
    assert sum((seen - total / 10) ** 2 / (total / 10) for seen in cells.values()) < 142
    # 1 - e^-0.1 of a million values are drawn at least once; the deviation of that count is about 65.
    assert abs(len(set(codes)) - 95_163) < 6 * 65
    assert abs(sum(code[0] == "0" for code in codes) - total / 10) < 6 * 95


@pytest.mark.parametrize("digits", [6, 8, 10])
def test_a_code_has_the_digits_asked_for(digits: int) -> None:
    assert len(SecretHasher.new_code(digits)) == digits


@pytest.mark.parametrize("digits", [5, 0, 11, -6, True, "6", None])
def test_a_code_of_fewer_than_six_digits_is_refused(digits: int) -> None:
    with pytest.raises(UsageError, match="digits"):
        SecretHasher.new_code(digits)


def test_the_code_matches_in_its_context() -> None:
    tag = BEFORE.code_tag(Secret("012345"), **ABOUT)
    assert BEFORE.code_matches(tag, "012345", **ABOUT)
    assert BEFORE.code_matches(tag, Secret("012345"), **ABOUT)
    assert not BEFORE.code_matches(tag, "012346", **ABOUT)
    assert not BEFORE.code_matches(tag, "12345", **ABOUT)


@pytest.mark.parametrize("name", list(ABOUT))
def test_ot_04_05_06_id_09_a_code_is_good_for_nothing_else(name: str) -> None:
    tag = BEFORE.code_tag("012345", **ABOUT)
    changed: Any = {**ABOUT, name: 1 if name == "send" else f"{ABOUT[name]}x"}  # type: ignore[literal-required]
    assert not BEFORE.code_matches(tag, "012345", **changed)


def test_ot_08_a_stored_code_is_not_a_cheap_hash_of_it() -> None:
    tags = {hasher.code_tag("012345", **ABOUT) for hasher in (BEFORE, DURING)}
    assert len(tags) == 2
    for tag in tags:
        assert re.fullmatch(r"[12]\$[0-9a-f]{64}", tag)
        assert "012345" not in tag


def test_kb_11_a_code_of_a_retired_key_matches_and_of_an_archived_one_does_not() -> None:
    tag = BEFORE.code_tag("012345", **ABOUT)
    assert DURING.code_matches(tag, "012345", **ABOUT)
    assert STAGED.code_matches(DURING.code_tag("012345", **ABOUT), "012345", **ABOUT)
    assert not AFTER.code_matches(tag, "012345", **ABOUT)
    assert DURING.code_tag("012345", **ABOUT).startswith("2$")


def test_kb_12_a_damaged_code_tag_matches_nothing() -> None:
    tag = BEFORE.code_tag("012345", **ABOUT)
    for damaged in (
        tag[:-1],
        tag[2:],
        f"9{tag[1:]}",
        tag.upper(),
        "012345",
        "1$",
        "$",
        f"{tag}\ud800",
        f"1${'0' * 64}",
    ):
        assert not BEFORE.code_matches(damaged, "012345", **ABOUT)


@pytest.mark.parametrize("code", ["", "1" * 10_000_000, "ABCDEF", "-1", "1e5", "\ud800", "０１２３４５"])
def test_ot_13_a_malformed_code_matches_nothing(code: str) -> None:
    assert not BEFORE.code_matches(BEFORE.code_tag("012345", **ABOUT), code, **ABOUT)


def test_ot_13_an_overlong_code_is_not_even_tagged(monkeypatch: pytest.MonkeyPatch) -> None:
    tag = BEFORE.code_tag("012345", **ABOUT)
    monkeypatch.setattr(SecretHasher, "_code_tag", pytest.fail)
    assert not BEFORE.code_matches(tag, "1" * 257, **ABOUT)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("tenant", ""),
        ("subject", 0),
        ("check", None),
        ("session", b"s"),
        ("send", -1),
        ("purpose", ""),
        ("stake", None),
    ],
)
def test_what_is_not_of_its_type_is_refused(name: str, value: object) -> None:
    wrong: Any = {**ABOUT, name: value}
    with pytest.raises(UsageError, match=f"^{name} must be"):
        BEFORE.code_tag("012345", **wrong)
    with pytest.raises(UsageError, match=f"^{name} must be"):
        BEFORE.code_matches("1$00", "012345", **wrong)


@pytest.mark.parametrize("code", [123456, None, b"012345", ["012345"]])
def test_a_code_is_text(code: str) -> None:
    with pytest.raises(UsageError, match="a secret is a str") as caught:
        BEFORE.code_tag(code, **ABOUT)
    assert "123456" not in str(caught.value)


# ── Grants ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_grant_is_the_same_for_one_session_and_turn_only() -> None:
    token = BEFORE.grant_token("s-1", 3)
    assert re.fullmatch(r"[A-Za-z0-9_-]{22}", token)
    assert token == BEFORE.grant_token("s-1", 3)
    others = {BEFORE.grant_token("s-1", 4), BEFORE.grant_token("s-2", 3), DURING.grant_token("s-1", 3)}
    assert len(others | {token}) == 4


def test_kb_11_a_grant_is_derived_again_after_a_rotation() -> None:
    assert DURING.grant_token("s-1", 3, key_id=BEFORE.keyring.active) == BEFORE.grant_token("s-1", 3)
    with pytest.raises(ConfigurationError, match="not in the keyring"):
        BEFORE.grant_token("s-1", 3, key_id="2")


def test_a_grant_is_stored_as_its_digest() -> None:
    digest = SecretHasher.grant_digest("abc")
    assert digest.hex() == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"  # FIPS 180-2 B.1
    assert SecretHasher.grant_digest("\ud800") != digest
    for wrong in ("", None, b"abc", "x" * 1001):
        with pytest.raises(UsageError, match=r"^token must be"):
            SecretHasher.grant_digest(wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize(("session", "turn"), [("", 1), (None, 1), ("s", "1"), ("s", -1), ("s", True)])
def test_a_grant_needs_a_session_and_a_turn(session: str, turn: int) -> None:
    with pytest.raises(UsageError, match=r"^(session|turn) must be"):
        BEFORE.grant_token(session, turn)


# ── Fingerprints of numbers ──────────────────────────────────────────────────────────────────────────────────────────


def test_a_number_is_known_again_after_every_rotation() -> None:
    (kept,) = BEFORE.number_fingerprints(NUMBER, tenant="acme", subject="cust-42")
    assert re.fullmatch(r"1\$[0-9a-f]{32}", kept)
    for hasher in (DURING, AFTER):
        first, second = hasher.number_fingerprints(NUMBER, tenant="acme", subject="cust-42")
        assert first.startswith("2$")
        assert second == kept
    assert STAGED.number_fingerprints(NUMBER, tenant="acme", subject="cust-42")[0] == kept


def test_ph_03_id_09_a_fingerprint_is_of_one_number_extension_and_customer() -> None:
    def of(number: str = NUMBER, tenant: str = "acme", subject: str = "cust-42", extension: str = "") -> str:
        return BEFORE.number_fingerprints(number, tenant=tenant, subject=subject, extension=extension)[0]

    different = {of(), of("+33142685301"), of(tenant="b"), of(subject="cust-43"), of(extension="4"), of(extension="5")}
    assert len(different) == 6
    assert of(f"{NUMBER}4") != of(extension="4")
    assert NUMBER[1:] not in of()


@pytest.mark.parametrize(
    ("number", "more"),
    [
        ("", {}),
        (None, {}),
        (33142685300, {}),
        (NUMBER, {"tenant": ""}),
        (NUMBER, {"subject": 1}),
        (NUMBER, {"extension": 4}),
    ],
)
def test_a_fingerprint_needs_text(number: str, more: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="must be a str") as caught:
        BEFORE.number_fingerprints(number, **({"tenant": "acme", "subject": "cust-42"} | more))
    assert "331" not in str(caught.value)


# ── Names and draws ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_th_names_and_draws_do_not_change_at_a_rotation() -> None:
    """A budget whose name changed would be full again, and an unknown subject that changed would be known as one."""
    names = {hasher.window_key("answers", "acme", "cust-42", 1) for hasher in (BEFORE, STAGED, DURING, AFTER)}
    draws = {hasher.order_draw("acme", "cust-42", 7) for hasher in (BEFORE, STAGED, DURING, AFTER)}
    assert len(names) == len(draws) == 1
    assert re.fullmatch(r"[0-9a-f]{32}", names.pop())
    assert len(draws.pop()) == 32


def test_names_and_draws_are_apart() -> None:
    assert BEFORE.window_key("answers", "ab", "c") != BEFORE.window_key("answers", "a", "bc")
    assert BEFORE.window_key("answers", "a") != BEFORE.window_key("runs", "a")
    assert BEFORE.order_draw("ab", "c") != BEFORE.order_draw("a", "bc")
    assert SecretHasher(Keyring({"1": TWO}), profile="owasp").window_key("answers") != BEFORE.window_key("answers")


@pytest.mark.parametrize(
    "act", [lambda h: h.window_key("a", None), lambda h: h.window_key(""), lambda h: h.order_draw(1.5)]
)
def test_lk_02_wrong_parts_are_refused_before_a_key_is_taken(act: Callable[[SecretHasher], object]) -> None:
    with pytest.raises(UsageError, match="must be") as caught:
        act(BEFORE)
    frames = []
    at = caught.value.__traceback__
    while at is not None:
        frames.append(at.tb_frame)
        at = at.tb_next
    keys = {BEFORE.keyring.key(label) for label in Label}
    assert not [
        value for frame in frames for value in frame.f_locals.values() if type(value) is bytes and value in keys
    ]


def test_the_chain_key_is_the_active_one() -> None:
    key_id, key = DURING.chain_key()
    assert key_id == "2"
    assert key == AFTER.keyring.chain_keys()["2"]
    assert BEFORE.chain_key()[1] == AFTER.keyring.chain_keys()["1"]


# ── The object ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_lk_01_printing_a_hasher_shows_no_key() -> None:
    for shown in (repr(BEFORE), str(BEFORE), f"{BEFORE}", format(BEFORE), "%r" % BEFORE):  # noqa: UP031
        assert shown == "SecretHasher(***)"


@pytest.mark.parametrize("act", [copy.copy, copy.deepcopy, pickle.dumps])
def test_lk_03_a_hasher_is_not_copied_or_pickled(act: Callable[[object], object]) -> None:
    with pytest.raises(UsageError, match="never copied or serialised"):
        act(BEFORE)
    with pytest.raises(TypeError):
        vars(BEFORE)


@pytest.mark.parametrize("given", [None, {"1": ONE}, ONE])
def test_a_hasher_needs_a_keyring(given: Keyring) -> None:
    with pytest.raises(ConfigurationError, match="needs a Keyring"):
        SecretHasher(given)
