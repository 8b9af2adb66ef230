from __future__ import annotations

from typing import Any

import pytest

from kyc_verify import Policy, Requirement, ThreatModel, checks
from kyc_verify.analysis import lint
from kyc_verify.analysis.linting import CODES

FULL = "$purpose$stake. $warning Code: $code"


def found(**check: Any) -> list[tuple[str, str, str]]:
    policy = Policy(
        name="p",
        checks=[checks.OneTimeCode("code", **check), checks.Pin()],
        threats=ThreatModel.points({"code": 6, "pin": 6}),
        actions={"a": Requirement(bits=8)},
    )
    wanted = {"KV209", "KV210", "KV211"}
    return [(each.code, each.severity, each.path) for each in lint(policy) if each.code in wanted]


def test_the_shipped_messages_are_sound() -> None:
    assert found() == found(channel="voice") == found(channel="email") == found(template="elsewhere") == []
    assert found(messages={"en": FULL, "de": FULL}) == []


def test_the_plain_message_warns_nobody() -> None:
    assert found(template="plain") == [("KV209", "warning", "checks.code.template")]


@pytest.mark.parametrize(
    ("template", "severity"), [("warning", "error"), ("elsewhere", "warning"), ("plain", "warning")]
)
def test_a_message_without_the_warning_is_an_error_where_the_score_counts_on_it(template: str, severity: str) -> None:
    own = {"en": FULL, "fr": "$purpose$stake : $code"}
    assert found(messages=own, template=template) == [("KV209", severity, "checks.code.messages.fr")]


def test_a_message_that_names_no_stake() -> None:
    assert found(messages={"en": "$purpose. $warning $code"}) == [("KV210", "warning", "checks.code.messages.en")]


def test_a_long_text_message_and_no_long_e_mail() -> None:
    long = {"en": FULL + " We wish you a very nice day indeed." * 15}
    assert found(messages=long) == [("KV211", "note", "checks.code.messages.en")]
    assert found(messages=long, channel="email") == []


def test_every_code_has_advice() -> None:
    assert all(CODES[code].advice for code in ("KV209", "KV210", "KV211"))
