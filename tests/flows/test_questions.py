"""Questions back, confirmations in the app, calls back, languages, entries."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, ClassVar

import pytest

from kyc_verify import Entry, Notice, Outcome, Policy, Requirement, ThreatModel, UsageError, Verdict, checks
from kyc_verify.answers import Clarify, Forms
from kyc_verify.prompts import text

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.flows.conftest import Desk


# ── Questions back ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_agent_is_told_what_to_do_with_each_question(desk: Desk) -> None:
    assert desk.open("pin").reasons == (text("reason.ask", "en"),)
    assert desk.open("app").reasons == (text("reason.confirm", "en"),)
    assert desk.open("callback").reasons == (text("reason.confirm", "en"),)
    assert desk.open("pin", entries=[Entry.DIGITS]).reasons == (text("reason.keypad", "en"),)


def test_three_questions_back_and_then_wrong_and_only_then_charged(desk: Desk) -> None:
    for _ in range(2):
        step = desk.open("tenure")
        first = step.challenge.text
        for said in ("3", "4", "5"):
            step = desk.say(step, said)
            assert step.verdict is Verdict.PENDING
            assert step.challenge.text == "Is that years or months? Please say the whole answer again." != first
        assert desk.say(step, "6").verdict is Verdict.DENIED
    assert desk.events() == (["opened", *["clarified"] * 3, "answered"]) * 2


def test_questions_back_cost_nothing(desk: Desk) -> None:
    step = desk.open("tenure")
    for said in ("3", "4", "5"):
        step = desk.say(step, said)
    assert desk.hasher.hashes == _enrolled(desk)
    assert desk.say(step, "8 years").verdict is Verdict.VERIFIED


def _enrolled(desk: Desk) -> int:
    return len([check for check in desk.policy.enrollable() if check.id in desk.facts])


def test_a_question_back_to_somebody_unknown_is_the_same(desk: Desk) -> None:
    def texts(subject: str) -> list[object]:
        step = desk.open("tenure", subject=subject)
        found = []
        for said in ("3", "4", "5", "6"):
            step = desk.say(step, said)
            found.append((step.verdict, step.challenge and step.challenge.text))
        return found

    assert texts("cust-42") == texts("cust-43")


def test_an_unclear_answer_buys_no_time(desk: Desk) -> None:
    step = desk.open("tenure")
    desk.clock.advance(minutes=5)
    assert desk.say(step, "3").verdict is Verdict.DENIED


@pytest.mark.parametrize(("language", "said"), [("en-US", "10/05/1985"), ("en-GB", "05/10/1985"), ("fr", "5.10.1985")])
def test_an_answer_is_read_in_the_customers_language(make: Callable[..., Desk], language: str, said: str) -> None:
    desk = make(facts={"date_of_birth": date(1985, 10, 5)}, language=language)
    assert desk.say(desk.open("born"), said).verdict is Verdict.VERIFIED
    wrong = {"en-US": "05/10/1985", "en-GB": "10/05/1985", "fr": "10.5.1985"}[language]
    assert desk.fresh().say(desk.open("born"), wrong).verdict is Verdict.DENIED


def test_without_a_language_it_is_read_in_the_calls_and_then_in_the_policys(
    make: Callable[..., Desk], policy: Callable[..., Policy]
) -> None:
    desk = make(policy(language="fr"), facts={"date_of_birth": date(1985, 10, 5)})
    assert desk.say(desk.open("born"), "05/10/1985").verdict is Verdict.VERIFIED
    assert desk.say(desk.open("born", locale="en-US"), "10/05/1985").verdict is Verdict.VERIFIED


class Colour(checks.AnswerCheck):
    """A check of the host's own, which asks back in its own words."""

    kind = "colour"
    prompts: ClassVar[Mapping[str, str]] = {"en": "Which colour?", "fr": "Quelle couleur ?"}

    def forms(self, said: str, *, locale: str, now: datetime) -> Forms | Clarify:
        if said == "bluish":
            return Clarify(question={"en": "Light or dark?", "fr": "Clair ou foncé ?"})
        return Forms(coarse=said, fine=said)

    def enrolled(self, fact: str | date, *, locale: str, now: datetime) -> Forms:
        return Forms(coarse=str(fact), fine=str(fact))


@pytest.mark.parametrize(("language", "asked"), [("en", "Light or dark?"), ("fr", "Clair ou foncé ?")])
def test_a_check_may_ask_back_in_its_own_words(make: Callable[..., Desk], language: str, asked: str) -> None:
    policy = Policy(
        name="own",
        checks=[Colour()],
        threats=ThreatModel.points({"colour": 3}),
        actions={"paint": Requirement(bits=1, checks=("colour",))},
    )
    desk = make(policy, facts={"colour": "blue"}, language=language)
    step = desk.open("paint")
    first = desk.say(step, "bluish")
    assert first.challenge is not None
    assert first.challenge.text == asked
    assert desk.say(step, "bluish").as_dict() == first.as_dict()
    with pytest.raises(UsageError, match="another answer"):
        desk.say(step, "blue")
    assert desk.say(first, "blue").verdict is Verdict.VERIFIED


# ── The app ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_app_is_asked_until_the_customer_taps_and_what_is_typed_is_of_no_weight(desk: Desk) -> None:
    service = desk.services["app"]
    service.outcome = None
    step = desk.open("app")
    assert step.challenge.entry is Entry.CONFIRM
    assert "Confirm only" in service.messages[0].text
    for said in ("yes", "no", "whatever"):
        step = desk.say(step, said)
        assert step.verdict is Verdict.PENDING
        assert "Nothing has been confirmed yet" in step.challenge.text
    service.outcome = Outcome.PASS
    assert desk.say(step, "no").verdict is Verdict.VERIFIED
    assert len(service.messages) == 1
    assert service.checked == [("handle-1", "")] * 4
    assert desk.events() == ["opened", "sent", "clarified", "clarified", "clarified", "answered"]


@pytest.mark.parametrize("said", [Outcome.FAIL, Outcome.DECLINED, Outcome.NEAR, Outcome.UNAVAILABLE, RuntimeError("x")])
def test_the_app_refused_or_failing_is_denied_whatever_is_typed(desk: Desk, said: object) -> None:
    desk.services["app"].outcome = said
    assert desk.say(desk.open("app"), "yes").verdict is Verdict.DENIED


@pytest.mark.parametrize("minutes", [0, 4, 5])
def test_the_app_of_somebody_unknown_looks_as_if_nobody_tapped(desk: Desk, minutes: int) -> None:
    desk.services["app"].outcome = None

    def seen(subject: str) -> list[object]:
        step = desk.open("app", subject=subject)
        desk.clock.advance(minutes=minutes)
        step = desk.say(step, "done")
        return [step.verdict, step.challenge and step.challenge.text]

    assert seen("cust-42") == seen("cust-43")


@pytest.mark.parametrize("action", ["app", "callback"])
def test_a_yes_or_no_sent_again_is_the_same_and_another_is_not(desk: Desk, action: str) -> None:
    step = desk.open(action)
    first = desk.say(step, "yes")
    assert first.verdict is Verdict.VERIFIED
    assert desk.say(step, "YES!").as_dict() == first.as_dict()
    for other in ("no", "perhaps"):
        with pytest.raises(UsageError, match="another answer"):
            desk.say(step, other)


def test_looking_does_not_give_the_customer_more_time(desk: Desk) -> None:
    desk.services["app"].outcome = None
    step = desk.open("app")
    for _ in range(4):
        desk.clock.advance(minutes=1)
        step = desk.say(step, "done")
    assert step.verdict is Verdict.PENDING
    desk.clock.advance(minutes=1)
    desk.services["app"].outcome = Outcome.PASS
    assert desk.say(step, "done").verdict is Verdict.DENIED


def test_looking_ends_some_time(desk: Desk) -> None:
    desk.services["app"].outcome = None
    step, looks = desk.open("app"), 0
    while step.challenge is not None:
        step, looks = desk.say(step, "done"), looks + 1
    assert (step.verdict, looks) == (Verdict.DENIED, 31)


def test_a_push_that_was_never_sent_passes_nobody(desk: Desk) -> None:
    desk.services["app"].fail = RuntimeError("down")
    step = desk.open("app")
    assert desk.services["app"].checked == []
    assert Notice.DELIVERY_FAILED in desk.observer.notices
    while step.challenge is not None:
        step = desk.say(step, "yes")
    assert step.verdict is Verdict.DENIED
    assert desk.services["app"].checked == []


def test_somebody_unknown_waits_for_the_app_as_long(desk: Desk) -> None:
    desk.services["app"].outcome = None
    known, unknown = desk.open("app"), desk.open("app", subject="cust-43")
    for _ in range(4):
        desk.clock.advance(seconds=50)
        known, unknown = desk.say(known, "yes"), desk.say(unknown, "yes")
        assert known.challenge.text == unknown.challenge.text
    desk.clock.advance(minutes=2)
    assert desk.say(known, "yes").verdict is desk.say(unknown, "yes").verdict is Verdict.DENIED
    assert len(desk.services["app"].messages) == 1


# ── Calling back ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_call_back_dials_the_number_on_record_and_takes_the_agent_s_word(desk: Desk) -> None:
    step = desk.open("callback", call=desk.another(number="+33698765432"))
    assert desk.sender.last().destination == "+33612345678"
    assert desk.sender.last().channel == "callback"
    step = desk.say(step, "hm?", call=desk.another(number="+33698765432"))
    assert step.verdict is Verdict.PENDING
    assert desk.say(step, "oui").verdict is Verdict.VERIFIED


def test_a_call_back_refused_is_denied(desk: Desk) -> None:
    assert desk.say(desk.open("callback"), "no").verdict is Verdict.DENIED


def test_nobody_is_called_back_for_somebody_unknown(desk: Desk) -> None:
    step = desk.open("callback", subject="cust-43")
    assert step.challenge is not None
    assert desk.sender.messages == []
    assert desk.say(step, "yes").verdict is Verdict.DENIED


# ── Languages ────────────────────────────────────────────────────────────────────────────────────────────────────────

TENURE = {"en": "How long have", "fr": "Depuis combien", "es": "¿Cuánto tiempo", "fa": "چه مدت"}
EIGHT = {"en": "eight years", "fr": "huit ans", "es": "ocho años", "fa": "هشت سال"}


@pytest.mark.parametrize("lang", ["en", "fr", "es", "fa"])
def test_the_customer_s_language_comes_first(make: Callable[..., Desk], lang: str) -> None:
    desk = make(language=f"{lang}-CH")
    step = desk.open("tenure", locale="fr" if lang != "fr" else "es")
    assert step.challenge.text.startswith(TENURE[lang])
    done = desk.say(step, EIGHT[lang])
    assert done.verdict is Verdict.VERIFIED
    assert ("verified" in done.reasons[0]) == (lang == "en")


def test_then_the_call_s_then_the_policy_s(make: Callable[..., Desk], policy: Callable[..., object]) -> None:
    desk = make(policy(language="es"))
    assert desk.open("tenure", locale="fa_IR").challenge.text.startswith(TENURE["fa"])
    assert desk.open("tenure", locale="de").challenge.text.startswith(TENURE["es"])
    assert desk.open("tenure").challenge.text.startswith(TENURE["es"])


def test_an_author_s_prompts_are_picked_the_same_way(make: Callable[..., Desk]) -> None:
    desk = make(language="fr")
    assert desk.open("school").challenge.text == "Quelle était votre école ?"
    assert make(language="es").open("school").challenge.text == "Which was your first school?"


# ── Entries ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_keypad_is_asked_what_it_can_take_and_the_rest_after_a_transfer(desk: Desk) -> None:
    step = desk.open("all", entries=[Entry.DIGITS])
    assert step.challenge.check == "pin"
    assert step.reasons == ("Ask the caller to type the answer on the telephone keypad.",)
    step = desk.say(desk.say(step))
    assert step.verdict is Verdict.STEP_UP
    assert step.challenge is None
    assert "Transfer" in step.reasons[0]
    agent = desk.another(agent="agent-8")
    step = desk.verifier.transfer(step.session_id, call=agent)
    assert step.challenge.check == "account_tenure"
    assert desk.say(step, call=agent).verdict is Verdict.VERIFIED


def test_nothing_that_a_keypad_takes_is_step_up_at_once(desk: Desk) -> None:
    step = desk.open("tenure", entries={"digits"})
    assert step.verdict is Verdict.STEP_UP
    assert desk.verifier.status(step.session_id, call=desk.call).verdict is Verdict.STEP_UP
    agent = desk.another(agent="agent-8")
    step = desk.verifier.transfer(step.session_id, call=agent, entries=[Entry.DURATION])
    assert desk.say(step, "8 years", call=agent).verdict is Verdict.VERIFIED


@pytest.mark.parametrize("entries", [[], "digits", ["keypad"], 5, [None]])
def test_entries_that_are_none_are_refused(desk: Desk, entries: object) -> None:
    with pytest.raises(UsageError):
        desk.open("pin", entries=entries)
    step = desk.open("pin")
    with pytest.raises(UsageError):
        desk.verifier.transfer(step.session_id, call=desk.call, entries=entries)


def test_facts_that_are_never_stored_come_from_the_crm_at_the_call(make: Callable[..., Desk]) -> None:
    desk = make()
    desk.customers["cust-42"] = replace(desk.customers["cust-42"], facts={"pin": "8350"})
    assert desk.play("pin", {"pin": "8350"}).verdict is Verdict.DENIED  # the pin is stored: the CRM's is not asked
    desk.clock.advance(timedelta(days=31))
    assert desk.play("pin").verdict is Verdict.VERIFIED


class Postcode(checks.SecretAnswer):
    """A question whose truth is the CRM's."""

    stored = False


def test_a_truth_that_is_never_stored_is_compared_as_the_crm_has_it_now(make: Callable[..., Desk]) -> None:
    asked = Postcode("postcode", {"en": "What is your postcode?"})
    points = ThreatModel.points({"postcode": 6})
    desk = make(Policy(name="crm", checks=[asked], threats=points, actions={"see": Requirement(bits=1)}), facts={})
    desk.customers["cust-42"] = replace(desk.customers["cust-42"], facts={"postcode": "75011"})
    assert desk.play("see", {"postcode": "75012"}).verdict is Verdict.DENIED
    assert desk.fresh().play("see", {"postcode": "75011"}).verdict is Verdict.VERIFIED
    desk.customers["cust-42"] = replace(desk.customers["cust-42"], facts={"postcode": "75012"})
    assert desk.fresh().play("see", {"postcode": "75011"}).verdict is Verdict.DENIED
    assert desk.fresh().play("see", {"postcode": "75012"}).verdict is Verdict.VERIFIED
