"""The contracts of senders, checks and sources: what is sound passes, and every planted fault is found."""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from kyc_verify import checks
from kyc_verify.ports import Message
from kyc_verify.testing import CheckContract, RecordingSender, ScriptedSignals, SenderContract, SignalContract


class TestRecordingSender(SenderContract):
    channels = ("sms", "voice", "email", "callback")

    @pytest.fixture
    def make_sender(self) -> Callable[[], RecordingSender]:
        return RecordingSender


class OnceSender:
    """A sender over a queue, as one should be."""

    def __init__(self, queue: list[str]) -> None:
        self._queue, self._seen, self._lock = queue, set[str](), threading.Lock()

    def send(self, message: Message) -> None:
        with self._lock:
            if message.key not in self._seen:
                self._seen.add(message.key)
                self._queue.append(message.text)


class AsyncOnceSender(OnceSender):
    async def send(self, message: Message) -> None:  # type: ignore[override]
        super().send(message)


class _Queued(SenderContract):
    kind: type[OnceSender] = OnceSender

    @pytest.fixture
    def queue(self) -> list[str]:
        return []

    @pytest.fixture
    def make_sender(self, queue: list[str]) -> Callable[[], OnceSender]:
        return lambda: self.kind(queue)

    @pytest.fixture
    def delivered(self, queue: list[str]) -> Callable[[], list[str]]:
        return lambda: queue


class TestOnceSender(_Queued):
    pass


class TestAsyncOnceSender(_Queued):
    kind = AsyncOnceSender


class TestScriptedSignals(SignalContract):
    @pytest.fixture
    def make_source(self) -> Callable[[], ScriptedSignals]:
        return lambda: ScriptedSignals(value=False)


class TestFailingSignals(SignalContract):
    @pytest.fixture
    def make_source(self) -> Callable[[], ScriptedSignals]:
        return lambda: ScriptedSignals(RuntimeError("down"))


# ── Every shipped check ──────────────────────────────────────────────────────────────────────────────────────────────


class _Check(CheckContract):
    make: Any = None

    @pytest.fixture
    def make_check(self) -> Callable[[], checks.Check]:
        return type(self).make  # type: ignore[no-any-return]


class TestPin(_Check):
    make = checks.Pin
    fact = "4937"
    same = ("4 9 3 7", "49-37", "٤٩٣٧", "４９３７")
    other = ("4938", "493", "49377", "7394")


class TestSecretAnswer(_Check):
    make = staticmethod(lambda: checks.SecretAnswer("school", {"en": "Which was your first school?"}))
    fact = "Lindenhof Schule"
    same = ("lindenhof schule", "LINDENHOF  SCHULE", "Lindenhof-Schule")
    other = ("Marienburg", "Linden", "Schule")


class TestTypoAnswer(_Check):
    make = staticmethod(lambda: checks.SecretAnswer("school", {"en": "Which?"}, tolerance="typo"))
    fact = "Lindenhof Schule"
    same = ("Lindenhof Schlue", "Lindenhof Schul")
    other = ("Marienburg", "Lindenburg Schule")


class TestDateOfBirth(_Check):
    make = checks.DateOfBirth
    fact = date(2061, 10, 23)
    same = ("23 October 2061", "23/10/2061", "2061-10-23")
    other = ("24 October 2071", "1 January 2000")


class TestAccountTenure(_Check):
    make = checks.AccountTenure
    fact = date(2092, 3, 14)
    same = ("since March 2092", "depuis mars 2092", "desde marzo de 2092", "about 8 years")
    other = ("20 years", "since 2070")


class TestCallerNumber(_Check):
    make = checks.CallerNumber


class TestSimSwap(_Check):
    make = checks.SimSwap
    passing = (False, {"covered": True, "swapped": False}, {"swapped": False})


class TestOneTimeCode(_Check):
    make = checks.OneTimeCode


class TestAppConfirmation(_Check):
    make = checks.AppConfirmation


class TestCallback(_Check):
    make = checks.Callback


# ── Planted faults ───────────────────────────────────────────────────────────────────────────────────────────────────

PLANTED = """
import logging, time
import pytest
from kyc_verify import checks
from kyc_verify.answers import Forms, Refused
from kyc_verify.terms import Outcome
from kyc_verify.testing import CheckContract, SenderContract, SignalContract
from kyc_verify.threats import Likelihoods, ThreatModel

NAMES = ThreatModel.default().names
OWN = Likelihoods(genuine={Outcome.PASS: "0.9"}, classes={n: {Outcome.PASS: "0.1"} for n in NAMES})

class Sender:
    def __init__(self, queue): self.queue = queue
    def send(self, message): self.queue.append(message.text)
class Cuts(Sender):
    def send(self, message): self.queue.append(message.text[:160])
class Slow(Sender):
    def send(self, message): time.sleep(0.25); self.queue.append(message.text)
class Logs(Sender):
    def send(self, message): logging.getLogger("sms").info("to %s: %s", message.destination, message.text)
class Shows(Sender):
    def send(self, message): self.last = message.text
    def __repr__(self): return f"Shows({self.last})"
class Returns(Sender):
    def send(self, message): return True

class _Senders(SenderContract):
    kind, patience = Sender, 0.2
    @pytest.fixture
    def queue(self): return []
    @pytest.fixture
    def make_sender(self, queue): return lambda: self.kind(queue)
    @pytest.fixture
    def delivered(self, queue): return lambda: queue
class TestTwice(_Senders): kind = Sender
class TestCuts(_Senders): kind = Cuts
class TestSlow(_Senders): kind = Slow
class TestLogs(_Senders): kind = Logs
class TestShows(_Senders): kind = Shows
class TestReturns(_Senders): kind = Returns

class Pet(checks.AnswerCheck):
    prompts = {"en": "Which pet?"}
    likelihoods = OWN
    def forms(self, said, *, locale, now):
        if not said.strip(): raise Refused("blank")
        return Forms(coarse=said.casefold(), fine=said.casefold())
class Raises(Pet):
    def forms(self, said, *, locale, now):
        return super().forms(said.encode("ascii").decode(), locale=locale, now=now)
class Blank(Pet):
    def forms(self, said, *, locale, now): return Forms(coarse="x", fine="x" + said.strip())
class Lax(Pet):
    def forms(self, said, *, locale, now): return Forms(coarse="x", fine="x")
class Returned(Pet):
    def forms(self, said, *, locale, now): return said
class Waits(Pet):
    async def forms(self, said, *, locale, now): return Forms(coarse=said, fine=said)
class Crawls(Pet):
    def forms(self, said, *, locale, now):
        time.sleep(0.0006 * len(said)); return super().forms(said, locale=locale, now=now)
class Random(Pet):
    count = [0]
    def forms(self, said, *, locale, now):
        self.count[0] += 1
        return Forms(coarse=said or "-", fine=said + str(self.count[0]))
class Mute(Pet):
    prompts = {"en": " "}

class _Checks(CheckContract):
    fact, same, other, patience = "Mauz", ("mauz",), ("Bello",), 0.1
    kind = Pet
    @pytest.fixture
    def make_check(self): return self.kind
class TestSound(_Checks): pass
class TestRaises(_Checks): kind = Raises
class TestBlank(_Checks): kind = Blank
class TestLax(_Checks): kind = Lax
class TestReturned(_Checks): kind = Returned
class TestWaits(_Checks): kind = Waits
class TestCrawls(_Checks): kind = Crawls
class TestRandom(_Checks): kind = Random
class TestMute(_Checks): kind = Mute

class Voice(checks.SignalCheck):
    likelihoods = OWN
    def judge(self, signal): return Outcome.PASS if signal.value == "match" else Outcome.FAIL
class Truthy(Voice):
    def judge(self, signal): return Outcome.PASS if signal.value else Outcome.FAIL
class Falsy(Voice):
    def judge(self, signal): return Outcome.FAIL if signal.value == "mismatch" else Outcome.PASS
class _Signals(CheckContract):
    passing = ("match",)
    kind = Voice
    @pytest.fixture
    def make_check(self): return self.kind
class TestVoice(_Signals): pass
class TestTruthy(_Signals): kind = Truthy
class TestFalsy(_Signals): kind = Falsy

class Source:
    def get(self, query): return False
class Counts:
    def __init__(self): self.n = 0
    def get(self, query): self.n += 1; return self.n
class Quotes:
    def get(self, query): raise RuntimeError(f"no answer for {query.number}")
class Tells:
    def get(self, query): logging.getLogger("carrier").debug("asked for %s", query.number); return False
class Trips:
    def get(self, query): return query.contact.number.startswith("+")
class Hangs:
    def get(self, query): time.sleep(0.6); return False
class _Sources(SignalContract):
    patience = 0.5
    kind = Source
    @pytest.fixture
    def make_source(self): return self.kind
class TestSource(_Sources): pass
class TestCounts(_Sources): kind = Counts
class TestQuotes(_Sources): kind = Quotes
class TestTells(_Sources): kind = Tells
class TestHangs(_Sources): kind = Hangs
"""
SOUND = {"TestSound", "TestVoice", "TestSource"}
FAULTS = {
    "TestTwice": "test_the_same_key_is_sent_once",
    "TestCuts": "test_what_is_sent_arrives_whole",
    "TestSlow": "test_it_only_enqueues",
    "TestLogs": "test_nothing_of_a_message_is_shown",
    "TestShows": "test_nothing_of_a_message_is_shown",
    "TestReturns": "test_it_takes_any_text",
    "TestRaises": "test_rubbish_is_read_or_refused",
    "TestBlank": "test_a_blank_answer_is_none",
    "TestLax": "test_other_answers_are_wrong",
    "TestReturned": "test_rubbish_is_read_or_refused",
    "TestWaits": "test_nothing_of_it_is_awaited",
    "TestCrawls": "test_rubbish_is_read_or_refused",
    "TestRandom": "test_rubbish_is_read_or_refused",
    "TestMute": "test_it_can_be_asked",
    "TestTruthy": "test_what_a_source_should_not_say_never_passes",
    "TestFalsy": "test_what_a_source_should_not_say_never_passes",
    "TestCounts": "test_it_answers_the_same_twice",
    "TestQuotes": "test_nothing_of_a_query_is_shown",
    "TestTells": "test_nothing_of_a_query_is_shown",
    "TestHangs": "test_it_answers_in_time",
}


@pytest.fixture(scope="module")
def failed(tmp_path_factory: pytest.TempPathFactory) -> set[tuple[str, str]]:
    folder: Path = tmp_path_factory.mktemp("planted")
    (folder / "test_planted.py").write_text(PLANTED, encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "--tb=no", "-rf"]
    done = subprocess.run([*command, "test_planted.py"], cwd=folder, capture_output=True, text=True, check=False)
    lines = [line.split("::") for line in done.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))]
    assert lines, done.stdout + done.stderr
    return {(name, test.split("[")[0].split(" ")[0]) for _, name, test in lines}


@pytest.mark.parametrize("name", FAULTS)
def test_a_planted_fault_is_found(name: str, failed: set[tuple[str, str]]) -> None:
    assert (name, FAULTS[name]) in failed


@pytest.mark.parametrize("name", sorted(SOUND))
def test_what_is_sound_passes(name: str, failed: set[tuple[str, str]]) -> None:
    assert [test for each, test in failed if each == name] == []


def test_the_log_is_looked_through_at_debug() -> None:
    assert logging.getLogger("carrier").getEffectiveLevel() > logging.DEBUG  # it is the contract that lowers it
