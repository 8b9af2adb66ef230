"""Attestations of another minute, another call or another caller, at the desk."""

from __future__ import annotations

from datetime import timedelta
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from kyc_verify import Call, Contact, Customer
from kyc_verify.signals import ReplayWindow, TrustedCertificates, verify_identity

if TYPE_CHECKING:
    from tests.flows.conftest import Desk

AUDITOR = Call(id="audit-1", agent="auditor-1", roles=frozenset({"auditor"}))


def _passports() -> Any:
    spec = spec_from_file_location("passports", Path(__file__).resolve().parents[1] / "passports.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


p = _passports()
PROVIDER = p.Provider()
CERTIFICATES = TrustedCertificates(
    hosts=["cr.example.com"],
    anchors=PROVIDER.root,
    source=lambda _: p.pem(PROVIDER.leaf, PROVIDER.authority),
)
IAT = int(p.NOW.timestamp())


def scored(desk: Desk, header: str, *, replay: ReplayWindow | None = None) -> str:
    """Return how the number of a call with this header did at the desk, the number being the right one."""
    desk.customers["cust-77"] = Customer(
        contacts=(Contact(number=p.CALLER, since=desk.clock.now - timedelta(days=900)),)
    )
    desk.enroller.enroll("cust-77", {"pin": "8351"}, by="crm-import")
    desk.enroller.clear_runs("cust-77", by="ops", reason="next")
    found = verify_identity(
        header, caller=p.CALLER, called=p.CALLED, now=p.NOW, certificates=CERTIFICATES, replay=replay
    )
    call = desk.another(number=p.CALLER, attestation=found.attestation)
    step = desk.open("signals", subject="cust-77", call=call)
    decision = desk.verifier.explain(step.session_id, call=AUDITOR)
    desk.enroller.erase("cust-77", by="ops")
    return {item.check: item.outcome for item in decision.evidence}["caller_number"].value


@pytest.mark.parametrize(
    ("changes", "outcome"),
    [
        ({}, "pass"),
        ({"iat": IAT - 60}, "pass"),
        ({"iat": IAT - 61}, "fail"),
        ({"iat": IAT + 61}, "fail"),
        ({"iat": IAT - 86_400}, "fail"),
        ({"dest": {"tn": ["12125551299"]}}, "fail"),
        ({"dest": {"tn": []}}, "fail"),
        ({"orig": {"tn": "12155559999"}}, "fail"),
    ],
)
def test_ph_09_a_stale_or_misdirected_attestation_gives_nothing(
    desk: Desk, changes: dict[str, Any], outcome: str
) -> None:
    assert scored(desk, PROVIDER.sign(**changes)) == outcome


def test_ph_09_an_attestation_is_used_once(desk: Desk) -> None:
    window = ReplayWindow()
    header = PROVIDER.sign()
    assert scored(desk, header, replay=window) == "pass"
    assert scored(desk, header, replay=window) == "fail"


def test_ph_09_an_attestation_to_somebody_else_is_not_passed_on(desk: Desk) -> None:
    """A caller lured into calling somebody, who sends the call on with a genuine diversion: no credit."""
    lured = PROVIDER.sign(dest={"tn": [p.FORMER[1:]]})
    sent_on = p.sip(p.token(PROVIDER.key, p.header("div"), p.diversion()), ppt="div")
    assert scored(desk, lured) == "fail"
    assert scored(desk, f"{lured},{sent_on}") == "near"
