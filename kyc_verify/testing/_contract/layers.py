"""What every check must hold: questions about what the customer knows, and signals."""

from __future__ import annotations

import inspect
import re
import unicodedata
from collections.abc import Callable
from contextlib import suppress
from difflib import SequenceMatcher
from typing import Any, ClassVar, Final, cast

import pytest

from kyc_verify.answers import Clarify, Forms, Refused
from kyc_verify.call import Call, Contact, Customer
from kyc_verify.checks import AnswerCheck, AskedCheck, Check, Signal, SignalCheck
from kyc_verify.errors import UsageError
from kyc_verify.policy import Policy, Requirement
from kyc_verify.terms import LANGUAGES, Factor, Outcome
from kyc_verify.testing._acting import graded
from kyc_verify.testing._contract.desk import expect, yes
from kyc_verify.testing._contract.hosts import RUBBISH, bounded, logged
from kyc_verify.testing._contract.using import listed, made
from kyc_verify.testing.assertions import assert_not_verified, assert_verified
from kyc_verify.testing.bench import Bench
from kyc_verify.testing.callers import Caller
from kyc_verify.testing.clock import START
from kyc_verify.testing.doubles import ScriptedSignals
from kyc_verify.testing.leaks import Hunter
from kyc_verify.testing.transcript import Transcript

__all__ = ["CheckContract"]

_VALUES: tuple[object, ...] = (
    None, "", "no", "yes", 0, 1, -1, 2.5, float("nan"), b"x", [], {}, {"covered": True}, {"swapped": None}, object(),
    ("a",), {"value": {"deep": []}}, "x" * 10_000, Exception("x"), Outcome.PASS, "pass", Ellipsis,
)  # fmt: skip
"""What a source returns that was changed, or that lies."""
_LOCALES: Final = (None, *LANGUAGES)
_TOLD: Final = ("Papageiengasse 48", "7046219385", "23 October 1961")
"""What nobody says by chance: a text, digits, a date."""
_NUMBER, _OTHER_NUMBER = "+33612345678", "+33639981234"
_SHORTEST: Final = 6
_SIMILAR: Final = 0.5


class CheckContract:
    """What a check of your own must hold, to be no way in. Inherit it, and write the fixture ``make_check``.

    For an `AnswerCheck`, set `fact` and, better, `same` and `other`; for a `SignalCheck`, set `passing`.

    Attributes:
        fact: What a customer enrolls.
        same: Ways to say it that must be worth something to whom no language is known.
        other: Answers that must not, whatever the language.
        passing: What the source returns for a customer who passes.
        patience: Seconds that reading one answer may take.
    """

    fact: ClassVar[Any] = None
    same: ClassVar[tuple[str, ...]] = ()
    other: ClassVar[tuple[str, ...]] = ()
    passing: ClassVar[tuple[object, ...]] = ()
    patience: ClassVar[float] = 0.5

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls._check_use()

    @classmethod
    def _check_use(cls) -> None:
        listed(cls, "same", of=str, example='("4 9 3 7",)')
        listed(cls, "other", of=str, example='("4938",)')
        listed(cls, "passing", example="(False,)")

    @pytest.fixture
    def make_check(self) -> Callable[[], Check]:
        """Return what makes the check; yours."""
        msg = "write a fixture make_check that returns a function which makes the check"
        raise NotImplementedError(msg)

    @pytest.fixture
    def check(self, make_check: Callable[[], Check]) -> Check:
        """Return the check."""
        self._check_use()  # what was set after the class was made
        return _made(make_check)

    @pytest.fixture
    def answered(self, check: Check) -> AnswerCheck:
        """Return the check, if it asks what the customer knows."""
        if not isinstance(check, AnswerCheck):
            pytest.skip("not an AnswerCheck")
        if self.fact is None:
            msg = "set fact to what a customer would enroll, as in fact = 'Lindenhof'"
            raise UsageError(msg)
        try:
            check.enrolled(self.fact, locale=None, now=START)
        except Refused as error:
            if error.reason != "unreadable":  # that one may be a fault of forms(), and the tests tell of it
                msg = f"the check refuses fact ({error.reason}): set fact to what a customer can enroll"
                raise UsageError(msg) from error
        return check

    @pytest.fixture
    def judged(self, check: Check) -> SignalCheck:
        """Return the check, if it judges a signal."""
        if not isinstance(check, SignalCheck):
            pytest.skip("not a SignalCheck")
        return check

    # ── Any check ────────────────────────────────────────────────────────────────────────────────────────────────────

    def test_it_is_a_value(self, make_check: Callable[[], Check]) -> None:
        """Equal to another one made the same way, with a factor, and never changed."""
        one, other = _made(make_check), _made(make_check)
        yes(one == other, "two checks made the same way are equal")
        yes(isinstance(one.factor, Factor), "a check has a factor")
        with pytest.raises(UsageError, match="immutable"):
            one.id = "other"

    def test_it_weighs_something_in_a_policy(self, check: Check) -> None:
        """A row of the table, or likelihoods of its own; it comes back from JSON."""
        policy = _policy(check)
        known = () if type(check).__module__.startswith("kyc_verify.") else (type(check),)
        yes(Policy.from_json(policy.to_json(), checks=known) == policy, "it comes back from JSON the same")
        passed, failed = (policy.table.centibits({check.id: outcome}) for outcome in (Outcome.PASS, Outcome.FAIL))
        yes(passed >= failed, "a pass weighs no less than a failure")

    def test_nothing_of_it_is_awaited(self, check: Check) -> None:
        """It is pure: what waits for a network is a port."""
        for name in ("forms", "judge", "prompt", "enrolled"):
            yes(not inspect.iscoroutinefunction(getattr(check, name, None)), f"{name} is a plain function")

    def test_it_can_be_asked(self, check: Check) -> None:
        """In every language there is something to say, even if it is another language."""
        if isinstance(check, AskedCheck):
            for language in (*LANGUAGES, "xx", None):
                yes(bool(check.prompt(language).strip()), f"there is something to say in {language}")

    # ── What the customer knows ──────────────────────────────────────────────────────────────────────────────────────

    def test_the_fact_is_the_right_answer(self, answered: AnswerCheck) -> None:
        """As it was enrolled, whatever the language is, and in every way of `same`."""
        for locale in _LOCALES:
            true = self._true(answered, locale)
            for said in (str(self.fact), *(self.same if locale is None else ())):
                found = None if true is None else answered.forms(said, locale=locale, now=START)
                right = isinstance(found, Forms) and true is not None and graded(true, found) is not Outcome.FAIL
                yes(right or true is None, f"{said!r} is taken for right{_in(locale)}")

    def test_other_answers_are_wrong(self, answered: AnswerCheck) -> None:
        """Every one of `other`, and rubbish, whatever the language is."""
        for locale in _LOCALES:
            true = self._true(answered, locale)
            for said in (*self.other, *self._rubbish()):
                found = _read(answered, said, locale)
                wrong = true is None or not isinstance(found, Forms) or graded(true, found) is Outcome.FAIL
                yes(wrong, f"{said!r} is taken for wrong{_in(locale)}")

    def test_rubbish_is_read_or_refused(self, answered: AnswerCheck) -> None:
        """`Forms`, `Clarify` or `Refused`, soon, and the same each time, whatever the language is."""
        for locale in _LOCALES:
            for said in RUBBISH:
                with bounded(self.patience):
                    found = _read(answered, said, locale)
                again = _read(answered, said, locale)
                expect(type(again), type(found), f"{said!r} is read the same each time{_in(locale)}")
                if isinstance(found, Forms) and isinstance(again, Forms):
                    both = [(each.coarse.reveal(), each.fine.reveal()) for each in (found, again)]
                    yes(both[0] == both[1], f"{said!r} has the same forms each time{_in(locale)}")

    def test_a_blank_answer_is_none(self, answered: AnswerCheck) -> None:
        """Nothing, spaces and what cannot be seen are never an answer, nor a fact."""
        for blank in ("", "   ", "\t\n"):
            for locale in _LOCALES:
                found = _read(answered, blank, locale)
                nothing = not isinstance(found, Forms) or not found.fine.reveal().strip()
                yes(nothing, f"{blank!r} says nothing{_in(locale)}")
        for blank in ("", "   ", "\u200b", "\u00ad"):
            with pytest.raises((Refused, UsageError)):
                answered.enrolled(blank, locale=None, now=START)

    def test_nothing_of_an_answer_is_shown(self, answered: AnswerCheck) -> None:
        """Neither by the check, nor by the forms, nor in a log: no level is low enough for it."""
        text = str(self.fact)
        found = answered.forms(text, locale=None, now=START)
        expect(Hunter({"the fact": text}).hunt(repr(answered), repr(found)), set(), "no repr shows the answer")
        for said in (text, *self.same, *self.other, *_TOLD):
            with logged() as log:
                _read(answered, said, None)
            yes(not _tells(log(), said), f"what is logged does not show what was said, {said!r}")
        with logged() as log:
            answered.enrolled(self.fact, locale=None, now=START)
        yes(not _tells(log(), text), "what is logged does not show the fact that is enrolled")

    def test_right_answers_verify_and_wrong_ones_never(self, answered: AnswerCheck) -> None:
        """In a verification that asks for nothing else."""
        bench = Bench(_policy(answered), facts={answered.id: self.fact})
        assert_verified(bench.play(action="act"))
        for said in (*self.other, "certainly not", *self._rubbish()[6:12]):
            bench.clock.advance(days=2)
            bench.enroller.clear_runs(bench.subject, by="ops", reason="next")
            assert_not_verified(bench.play(Caller.answers({answered.id: said}), action="act"))

    def _true(self, check: AnswerCheck, locale: str | None) -> Forms | None:
        """Return the enrolled forms; None: in this language the fact is not to be read, and is refused."""
        try:
            return check.enrolled(self.fact, locale=locale, now=START)
        except Refused:
            if locale is None:
                raise
            return None

    def _rubbish(self) -> list[str]:
        """Return the rubbish that is wrong whatever a check forgives.

        Not what is the fact itself, in other digits or almost: the check may take that for right. Whether it does is
        not asked, or a check that takes everything for right would have nothing left to be shown it by.
        """
        fact = _folded(str(self.fact))
        return [each for each in RUBBISH if not fact or SequenceMatcher(None, fact, _folded(each)).ratio() < _SIMILAR]

    # ── Signals ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def test_what_a_source_should_not_say_never_passes(self, judged: SignalCheck) -> None:
        """A reply that was changed, or that lies about its form, is no better than a refusal."""
        for value in _VALUES:
            if not any(value is each or value == each for each in self.passing):
                assert_not_verified(_played(self._asking(judged), value))

    def test_a_source_that_fails_never_helps(self, judged: SignalCheck) -> None:
        """What raises is no pass."""
        assert_not_verified(_played(self._asking(judged), RuntimeError("down")))

    @staticmethod
    def _asking(check: SignalCheck) -> SignalCheck:
        if check.source is None:
            pytest.skip("judges the call itself")
        return check

    def test_what_passes_passes(self, judged: SignalCheck) -> None:
        """Every one of `passing`."""
        for value in self.passing:
            assert_verified(_played(judged, value))

    def test_a_customer_without_a_number_is_no_fault(self, judged: SignalCheck) -> None:
        """There is nothing to compare with, and `judge` says so."""
        for contact in (None, Contact(number="+33612345678")):
            call = Call(id="c", agent="a")
            found = judged.judge(Signal(value=None, now=START, call=call, customer=Customer(), contact=contact))
            yes(isinstance(found, Outcome), "judge returns an Outcome")
            yes(found is not Outcome.PASS or None in self.passing, "who has nothing to show does not pass")

    def test_nothing_of_a_signal_is_shown(self, judged: SignalCheck) -> None:
        """No log shows a number, whatever the source said."""
        contact = Contact(number=_NUMBER)
        call = Call(id="c", agent="a", number=_OTHER_NUMBER)
        hunter = Hunter({"the number on record": _NUMBER, "the presented number": _OTHER_NUMBER})
        for value in (*self.passing, *_VALUES):
            signal = Signal(value=value, now=START, call=call, customer=Customer(contacts=(contact,)), contact=contact)
            with logged() as log, suppress(Exception):  # what raises is a failure, and tried elsewhere
                judged.judge(signal)
            expect(hunter.hunt(log(), repr(judged)), set(), "neither its log nor its repr shows a number")


def _is_check(thing: object) -> bool:
    return isinstance(thing, Check)


def _made(make_check: Callable[[], Check]) -> Check:
    return made(make_check, "make_check", _is_check, "a check inherits from AnswerCheck, SignalCheck or AskedCheck")


def _in(locale: str | None) -> str:
    return "" if locale is None else f" (locale={locale!r})"


def _folded(text: str) -> str:
    """Return letters and digits alone, the digits of every script as ASCII ones."""
    plain = unicodedata.normalize("NFKC", text).casefold()
    return "".join(str(unicodedata.decimal(char, char)) for char in plain if char.isalnum())


def _tells(log: bytes, said: str) -> bool:
    """Whether a log shows what was said; a short one must stand alone there, since it is part of much by chance."""
    if len(said.strip()) >= _SHORTEST:
        return bool(Hunter({"it": said.strip()}).hunt(log))
    return re.search(rf"(?<![\w.]){re.escape(said.strip())}(?!\w)", log.decode("utf-8", "replace")) is not None


def _policy(check: Check) -> Policy:
    return Policy(
        name="contract", checks=[check], actions={"act": Requirement(all_of=(check.id,), knowledge_only=True)}
    )


def _read(check: AnswerCheck, said: str, locale: str | None) -> Forms | Clarify | None:
    try:
        found: object = check.forms(said, locale=locale, now=START)
    except Refused:
        return None
    told = f"forms() returned a {type(found).__name__}; it returns Forms or Clarify, or raises Refused"
    yes(isinstance(found, Forms | Clarify), told)
    return cast("Forms | Clarify", found)


def _played(check: SignalCheck, value: object) -> Transcript:
    signals = {} if check.source is None else {check.source: ScriptedSignals(value)}
    return Bench(_policy(check), facts={}, signals=signals).play(action="act")
