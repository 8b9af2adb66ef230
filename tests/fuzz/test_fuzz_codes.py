"""Whatever is read out or kept as a seed: no exception outside the tree, and nobody is verified by it."""

from __future__ import annotations

import unicodedata
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kyc_verify import (
    Budget,
    Budgets,
    Likelihoods,
    Outcome,
    Policy,
    Requirement,
    Secret,
    ThreatModel,
    Verdict,
    checks,
    totp,
)
from kyc_verify.testing import Bench

pytest.importorskip("pyotp")
pytest.importorskip("cryptography")

WORTH = Likelihoods(
    genuine={Outcome.PASS: "0.8"},
    classes={name: {Outcome.PASS: "0.001"} for name in ThreatModel.default().names},
    source="made up",
)
BENCH = Bench(
    Policy(
        name="codes",
        checks=[checks.AuthenticatorCode(), checks.RecoveryCode(likelihoods=WORTH)],
        actions={
            "app": Requirement(bits=0.5, checks=("authenticator_code",)),
            "list": Requirement(bits=0.5, checks=("recovery_code",)),
        },
        budgets=Budgets(codes=Budget(10_000, timedelta(days=1)), consecutive=100),
    )
)
BENCH.clock.back(days=2)
SEED = Secret("GEZDGNBVGY3TQOJQ" * 2)
CODES = [code.reveal() for code in BENCH.enroller.issue_codes("cust-42", by="branch")]
BENCH.clock.advance(days=2)
said = st.one_of(
    st.text(max_size=300),
    st.text("0123456789 -", max_size=20),
    st.binary(max_size=300).map(lambda raw: raw.decode("latin-1")),
)


def play(action: str, answer: str) -> Verdict:
    BENCH.enroller.clear_runs("cust-42", by="ops", reason="next")
    step = BENCH.verifier.open("cust-42", action=action, call=BENCH.call)
    assert step.challenge is not None
    return BENCH.verifier.respond(step.challenge.id, answer, call=BENCH.call).verdict


@given(said=said)
def test_whatever_is_read_out_as_a_recovery_code(said: str) -> None:
    digits = "".join(str(unicodedata.decimal(char)) for char in said if char.isdecimal())
    if digits not in CODES:
        assert play("list", said) is Verdict.DENIED


@given(said=said)
def test_whatever_is_read_out_as_the_code_of_an_app(said: str) -> None:
    digits = "".join(str(unicodedata.decimal(char)) for char in said if char.isdecimal())
    now = BENCH.clock.now
    right = {totp.code_at(SEED, now + steps * totp.STEP).reveal() for steps in (-1, 0, 1)}
    BENCH.seeds["cust-42"] = SEED
    if digits not in right:
        assert play("app", said) is Verdict.PENDING


@given(
    seed=st.one_of(
        st.text(), st.binary(), st.integers(), st.lists(st.text()), st.text().map(Secret), st.just(object()),
        st.from_regex(r"seed1\$[A-Za-z0-9._-]{1,32}\$[A-Za-z0-9_-]{40,80}", fullmatch=True),
        st.sampled_from([RuntimeError("x"), StopIteration(), KeyError("x")]),
    ),
    said=st.text("0123456789", min_size=6, max_size=6),
)  # fmt: skip
def test_whatever_the_source_of_seeds_returns(seed: Any, said: str) -> None:
    BENCH.seeds["cust-42"] = seed
    BENCH.clock.advance(minutes=2)  # whatever circuit is open closes
    BENCH.enroller.clear_runs("cust-42", by="ops", reason="next")
    step = BENCH.verifier.open("cust-42", action="app", call=BENCH.call)
    while step.challenge is not None:
        step = BENCH.verifier.respond(step.challenge.id, said, call=BENCH.call)
    if not (isinstance(seed, Secret) and _could_be(seed)):
        assert step.verdict in {Verdict.DENIED, Verdict.REVIEW}


def _could_be(seed: Secret) -> bool:
    """Whether arbitrary text happens to be base32 of a seed's length."""
    return len(seed) >= 22
