"""The contracts of senders, checks and sources: what is sound passes, and every planted fault is found."""

from __future__ import annotations

import asyncio
import itertools
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from kyc_verify import checks
from kyc_verify.errors import UsageError
from kyc_verify.ports import Message, SignalQuery
from kyc_verify.terms import Outcome
from kyc_verify.testing import CheckContract, RecordingSender, ScriptedSignals, SenderContract, SignalContract
from kyc_verify.testing._contract.hosts import Loop, logged
from kyc_verify.testing._contract.layers import _tells
from kyc_verify.testing._contract.sources import _alike


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


class TaskSender:
    """A sender that puts messages in line for a task of the server's event loop."""

    def __init__(self, box: list[tuple[str, str]]) -> None:
        self._box, self._seen = box, set[str]()
        self._line: asyncio.Queue[Message] | None = None

    async def _work(self, line: asyncio.Queue[Message]) -> None:
        while True:
            message = await line.get()
            self._box.append((message.destination, message.text))
            line.task_done()

    async def send(self, message: Message) -> None:
        if self._line is None:
            self._line = asyncio.Queue()
            self._task = asyncio.create_task(self._work(self._line))
        if message.key not in self._seen:
            self._seen.add(message.key)
            self._line.put_nowait(message)

    async def received(self) -> list[tuple[str, str]]:
        if self._line is not None:
            await self._line.join()
        return self._box


class TestTaskSender(SenderContract):
    channels = ("sms", "email")

    @pytest.fixture
    def box(self) -> list[tuple[str, str]]:
        return []

    @pytest.fixture
    def task_sender(self, box: list[tuple[str, str]]) -> TaskSender:
        return TaskSender(box)

    @pytest.fixture
    def make_sender(self, task_sender: TaskSender) -> Callable[[], TaskSender]:
        return lambda: task_sender

    @pytest.fixture
    def delivered(self, box: list[tuple[str, str]]) -> Callable[[], Any]:
        return lambda: box


class TestTaskSenderThatIsWaitedFor(TestTaskSender):
    @pytest.fixture
    def delivered(self, task_sender: TaskSender) -> Callable[[], Any]:  # type: ignore[override]
        return task_sender.received


class ThreadSender(OnceSender):
    """A sender whose thread hands over a little later."""

    def send(self, message: Message) -> None:
        threading.Timer(0.1, super().send, (message,)).start()


class LoopBound:
    """A client as HTTP libraries have them: its connection belongs to the loop that it was first used in."""

    def __init__(self) -> None:
        self.loop: asyncio.AbstractEventLoop | None = None
        self.closed = False

    def _use(self) -> None:
        self.loop = self.loop or asyncio.get_running_loop()
        if self.loop is not asyncio.get_running_loop():
            msg = "attached to a different loop"
            raise RuntimeError(msg)

    async def send(self, message: Message) -> None:
        self._use()

    async def get(self, query: SignalQuery) -> bool:
        self._use()
        return query.call.number is None

    async def aclose(self) -> None:
        self._use()
        self.closed = True


class TestLoopBoundSender(SenderContract):
    @pytest.fixture
    def make_sender(self, contract_loop: Any) -> Iterator[Callable[[], LoopBound]]:
        clients: list[LoopBound] = []

        def make() -> LoopBound:
            clients.append(LoopBound())
            return clients[-1]

        yield make
        for each in clients:
            contract_loop.run(each.aclose())
            assert each.closed


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
    channels = ("sms", "email")


class TestThreadSender(_Queued):
    kind = ThreadSender


class TestScriptedSignals(SignalContract):
    @pytest.fixture
    def make_source(self) -> Callable[[], ScriptedSignals]:
        return lambda: ScriptedSignals(value=False)


class TestFailingSignals(SignalContract):
    out = True

    @pytest.fixture
    def make_source(self) -> Callable[[], ScriptedSignals]:
        return lambda: ScriptedSignals(RuntimeError("down"))


class TestLoopBoundSource(SignalContract):
    @pytest.fixture
    def make_source(self) -> type[LoopBound]:
        return LoopBound


class Reply:
    """A reply without an equality or a repr of its own."""

    def __init__(self, *, swapped: bool) -> None:
        self.swapped, self.asked = swapped, object()


class TestObjects(SignalContract):
    @pytest.fixture
    def make_source(self) -> Callable[[], ScriptedSignals]:
        return lambda: ScriptedSignals(lambda query: Reply(swapped=query.subject == "cust-2"))

    @pytest.fixture
    def other_query(self, query: SignalQuery) -> SignalQuery:
        return replace(query, subject="cust-2")


class TestJudgedReplies(SignalContract):
    @pytest.fixture
    def make_source(self) -> Callable[[], ScriptedSignals]:
        times = itertools.count()
        return lambda: ScriptedSignals(lambda query: {"swapped": query.number == "+33639980002", "at": next(times)})

    @pytest.fixture
    def other_query(self, query: SignalQuery) -> SignalQuery:
        return replace(query, number="+33639980002")

    @pytest.fixture
    def check(self) -> checks.SignalCheck:
        return Swapped()


class Swapped(checks.SignalCheck):
    """Judges one part of a reply."""

    def judge(self, signal: checks.Signal) -> Outcome:
        return Outcome.FAIL if signal.value["swapped"] else Outcome.PASS  # type: ignore[index]


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


class TestPinThatIsAmongTheRubbish(_Check):
    make = checks.Pin
    fact = "70421"
    other = ("4937",)


class TestAnswerThatIsAlmostRubbish(_Check):
    make = staticmethod(lambda: checks.SecretAnswer("aunt", {"en": "Which aunt?"}, tolerance="typo"))
    fact = "Nonne"


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
import asyncio, logging, threading, time
from dataclasses import replace
import pytest
from kyc_verify import checks
from kyc_verify.answers import Forms, Refused
from kyc_verify.errors import SignalError
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
class TestLogs(_Senders): kind = Logs
class TestShows(_Senders): kind = Shows
class TestReturns(_Senders): kind = Returns

class Good:
    def __init__(self, box): self.box, self.seen, self.lock = box, set(), threading.Lock()
    def send(self, message):
        with self.lock:
            if message.key in self.seen: return
            self.seen.add(message.key); self.box.append(message)
class LastKey(Good):
    def send(self, message):
        with self.lock:
            if message.key not in self.seen: self.seen = {message.key}; self.box.append(message)
class Unlocked(Good):
    def send(self, message):
        if message.key in self.seen:
            return
        self.box.append(message)
        self.seen.add(message.key)
class AsyncUnlocked(Good):
    async def send(self, message):
        if message.key in self.seen: return
        await asyncio.sleep(0)
        self.box.append(message); self.seen.add(message.key)
class WrongDestination(Good):
    def send(self, message): super().send(replace(message, destination="+10000000000"))
class Mixes(Good):
    def send(self, message):
        self.to = message.destination
        time.sleep(0.001)
        super().send(replace(message, destination=self.to))
class NoEmail(Good):
    def send(self, message):
        if message.channel != "email": super().send(message)
class LogsEmail(Good):
    def send(self, message):
        if message.channel == "email": logging.getLogger("mail").debug("to %s", message.destination)
        super().send(message)
class LogsAgain(Good):
    def send(self, message):
        if message.key in self.seen: logging.getLogger("sms").info("again: %s", message.text)
        super().send(message)
class LogsTask(Good):
    async def send(self, message):
        self.task = asyncio.create_task(self.work(message))
    async def work(self, message):
        logging.getLogger("sms").debug("extra", extra={"text": message.text}); super().send(message)
class LogsInAThread(Good):
    def send(self, message): threading.Thread(target=self.work, args=(message,)).start()
    def work(self, message): logging.getLogger("sms").debug("sent to %s", message.destination); super().send(message)
class StandIn(Good):
    def send(self, message): threading.Thread(target=self.serve, args=(message,)).start()
    def serve(self, message):
        logging.getLogger("mail.log").info("rcpt: %s", message.destination); print("rcpt", message.destination)
        super().send(message)
class SlowFirst(Good):
    def send(self, message):
        if not self.seen: time.sleep(0.25)
        super().send(message)
class SlowLong(Good):
    def send(self, message):
        if len(message.text) > 500: time.sleep(0.25)
        super().send(message)
class SlowAgain(Good):
    def send(self, message):
        if message.key in self.seen and len(message.text) < 60 and message.key.endswith("0"): time.sleep(0.25)
        super().send(message)

class _Pairs(SenderContract):
    kind, channels, patience = Good, ("sms", "email"), 0.2
    @pytest.fixture
    def box(self): return []
    @pytest.fixture
    def make_sender(self, box): return lambda: self.kind(box)
    @pytest.fixture
    def delivered(self, box): return lambda: [(message.destination, message.text) for message in box]
class TestGood(_Pairs): patience = 5
class TestLastKey(_Pairs): kind = LastKey
class TestUnlocked(_Pairs): kind = Unlocked
class TestAsyncUnlocked(_Pairs): kind = AsyncUnlocked
class TestWrongDestination(_Pairs): kind = WrongDestination
class TestMixedUp(_Pairs): kind = Mixes
class TestNoEmail(_Pairs): kind = NoEmail
class TestLogsEmail(_Pairs): kind = LogsEmail
class TestLogsAgain(_Pairs): kind = LogsAgain
class TestLogsTask(_Pairs): kind = LogsTask
class TestLogsInAThread(_Pairs): kind = LogsInAThread
class TestStandIn(_Pairs): kind, patience = StandIn, 5
class TestSlowFirst(_Pairs): kind = SlowFirst
class TestSlowLong(_Pairs): kind = SlowLong
class TestSlowAgain(_Pairs): kind = SlowAgain

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
        time.sleep(0.0006 * len(said) * (locale == "es")); return super().forms(said, locale=locale, now=now)
class Random(Pet):
    count = [0]
    def forms(self, said, *, locale, now):
        self.count[0] += 1
        return Forms(coarse=said or "-", fine=said + str(self.count[0]))
class Mute(Pet):
    prompts = {"en": " "}
class Notes(Pet):
    log = logging.getLogger("notes")
    def forms(self, said, *, locale, now):
        self.log.debug("an answer of %d characters", len(said)); return super().forms(said, locale=locale, now=now)
class Tells(Notes):
    def forms(self, said, *, locale, now):
        self.log.debug("heard %s", said); return super().forms(said, locale=locale, now=now)
class TellsAside(Tells):
    log = logging.getLogger("aside")
    log.propagate = False
class TellsBelow(Tells):
    log = logging.getLogger("below")
    log.setLevel(logging.ERROR)
class Prints(Pet):
    def forms(self, said, *, locale, now): print("heard", said); return super().forms(said, locale=locale, now=now)
class OnlyEnglish(Pet):
    def forms(self, said, *, locale, now):
        {None: 1, "en": 1}[locale]; return super().forms(said, locale=locale, now=now)
class LaxInFrench(Pet):
    def forms(self, said, *, locale, now):
        return super().forms("x" if locale == "fr" else said, locale=locale, now=now)
class NotInPersian(Pet):
    def forms(self, said, *, locale, now):
        return super().forms(said + (str(now) if locale == "fa" and said == "Mauz" else ""), locale=locale, now=now)
    def enrolled(self, fact, *, locale, now): return super().enrolled(fact, locale="en", now=now)

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
class TestNotes(_Checks): kind = Notes
class TestTellsAnswers(_Checks): kind = Tells
class TestTellsAside(_Checks): kind = TellsAside
class TestTellsBelow(_Checks): kind = TellsBelow
class TestPrints(_Checks): kind = Prints
class TestOnlyEnglish(_Checks): kind = OnlyEnglish
class TestLaxInFrench(_Checks): kind = LaxInFrench
class TestNotInPersian(_Checks): kind = NotInPersian
class TestLaxWithoutOther(_Checks): kind, other = Lax, ()

class Voice(checks.SignalCheck):
    likelihoods = OWN
    def judge(self, signal): return Outcome.PASS if signal.value == "match" else Outcome.FAIL
class Truthy(Voice):
    def judge(self, signal): return Outcome.PASS if signal.value else Outcome.FAIL
class Falsy(Voice):
    def judge(self, signal): return Outcome.FAIL if signal.value == "mismatch" else Outcome.PASS
class TellsNumber(Voice):
    def judge(self, signal):
        logging.getLogger("voice").debug("asked about %s", signal.contact and signal.contact.number)
        return super().judge(signal)
class _Signals(CheckContract):
    passing = ("match",)
    kind = Voice
    @pytest.fixture
    def make_check(self): return self.kind
class TestVoice(_Signals): pass
class TestTruthy(_Signals): kind = Truthy
class TestFalsy(_Signals): kind = Falsy
class TestTellsNumber(_Signals): kind = TellsNumber

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
class NoGet: pass
class TakesNothing:
    def get(self): return True
class Broken:
    def get(self, query): return query.subject_id
class Wraps:
    def get(self, query):
        try: return query.subject_id
        except Exception as error: raise SignalError("failed") from error
class Down:
    def get(self, query): raise RuntimeError("down")
class Says:
    def get(self, query): return {"swapped": query.subject == "cust-9"}
class Caches:
    said = None
    def get(self, query):
        if self.said is None: self.said = {"swapped": query.subject == "cust-9"}
        return self.said
class CachesForAll(Caches):
    def get(self, query):
        if Caches.said is None: Caches.said = {"swapped": query.subject == "cust-9"}
        return Caches.said
class First:
    subjects = ()
    def get(self, query):
        if query.subject not in self.subjects: self.subjects += (query.subject,)
        return self.subjects.index(query.subject)
class Keeps:
    def get(self, query):
        self.query = query
        time.sleep(0.001)
        return {"for": self.query.subject}
class AsyncKeeps:
    async def get(self, query):
        self.query = query
        await asyncio.sleep(0)
        return {"for": self.query.subject}
class Reply:
    def __init__(self, n): self.n = n
class CountsInObjects(Counts):
    def get(self, query): return Reply(super().get(query))
class Causes:
    def get(self, query):
        try: raise ValueError(query.number)
        except ValueError as error: raise RuntimeError("carrier failed") from error
class Attaches:
    def get(self, query):
        error = RuntimeError("carrier failed"); error.number = query.number; raise error
class Local:
    def get(self, query):
        number = query.number
        raise RuntimeError("carrier failed")
class TellsAlways:
    log = logging.getLogger("quiet.carrier")
    log.setLevel(logging.ERROR)
    def get(self, query): self.log.debug("asked", extra={"number": query.number}); return False
class TellsOfOthers:
    def get(self, query):
        if query.call.number != "+33612345678" and query.number: print(query.number)
        return False
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
class TestNoGet(_Sources): kind = NoGet
class TestTakesNothing(_Sources): kind = TakesNothing
class TestBroken(_Sources): kind = Broken
class TestBrokenAndOut(_Sources): kind, out = Broken, True
class TestWraps(_Sources): kind = Wraps
class TestDown(_Sources): kind = Down
class TestOut(_Sources): kind, out = Down, True
class TestNotOut(_Sources): out = True
class TestFirst(_Sources): kind = First
class TestKeeps(_Sources): kind = Keeps
class TestAsyncKeeps(_Sources): kind = AsyncKeeps
class TestCountsInObjects(_Sources): kind = CountsInObjects
class TestCauses(_Sources): kind, out = Causes, True
class TestAttaches(_Sources): kind, out = Attaches, True
class TestLocal(_Sources): kind, out = Local, True
class TestTellsAlways(_Sources): kind = TellsAlways
class TestTellsOfOthers(_Sources): kind = TellsOfOthers
class TestSays(_Sources):
    kind = Says
    @pytest.fixture
    def other_query(self, query): return replace(query, subject="cust-9")
class TestCaches(TestSays): kind = Caches
class TestCachesForAll(TestSays): kind = CachesForAll

class TestSenderItself(SenderContract):
    @pytest.fixture
    def make_sender(self): return Good([])
class TestSenderClassInAFunction(SenderContract):
    @pytest.fixture
    def make_sender(self): return lambda: Good
class TestSenderWithArguments(SenderContract):
    @pytest.fixture
    def make_sender(self): return Good
class TestNoSend(SenderContract):
    @pytest.fixture
    def make_sender(self): return NoGet
class TestNothingMade(SenderContract):
    @pytest.fixture
    def make_sender(self): pass
class TestMadeByACoroutine(SenderContract):
    @pytest.fixture
    def make_sender(self):
        async def make(): return Good([])
        return make
class TestDeliveredAList(_Pairs):
    @pytest.fixture
    def delivered(self): return []
class TestDeliveredMessages(_Pairs):
    @pytest.fixture
    def delivered(self, box): return lambda: box
class TestCheckItself(CheckContract):
    fact = "4937"
    @pytest.fixture
    def make_check(self): return checks.Pin()
class TestCheckClassInAFunction(CheckContract):
    @pytest.fixture
    def make_check(self): return lambda: checks.Pin
class TestWeakFact(CheckContract):
    fact = "1234"
    @pytest.fixture
    def make_check(self): return checks.Pin
class TestSourceItself(SignalContract):
    @pytest.fixture
    def make_source(self): return Source()
class TestSourceClassInAFunction(SignalContract):
    @pytest.fixture
    def make_source(self): return lambda: Source
class TestOtherQuery(_Sources):
    @pytest.fixture
    def other_query(self): return "cust-9"
class TestJudge(_Sources):
    @pytest.fixture
    def check(self): return checks.SimSwap
class TestSetLater(_Pairs): pass
TestSetLater.channels = "sms"
"""
SOUND = {
    "TestSound",
    "TestVoice",
    "TestSource",
    "TestGood",
    "TestNotes",
    "TestOut",
    "TestLocal",
    "TestSays",
    "TestStandIn",
}
FAULTS = {
    "TestTwice": "test_the_same_key_is_sent_once",
    "TestCuts": "test_what_is_sent_arrives_whole",
    "TestSlowFirst": "test_it_only_enqueues",
    "TestSlowLong": "test_it_only_enqueues",
    "TestSlowAgain": "test_it_only_enqueues",
    "TestLastKey": "test_the_same_key_is_sent_once",
    "TestUnlocked": "test_the_same_key_at_once_is_sent_once",
    "TestAsyncUnlocked": "test_the_same_key_at_once_is_sent_once",
    "TestWrongDestination": "test_what_is_sent_arrives_whole",
    "TestMixedUp": "test_many_at_once_all_arrive",
    "TestNoEmail": "test_what_is_sent_arrives_whole",
    "TestLogsEmail": "test_nothing_of_a_message_is_shown",
    "TestLogsAgain": "test_nothing_of_a_message_is_shown",
    "TestLogsInAThread": "test_nothing_of_a_message_is_shown",
    "TestLogsTask": "test_nothing_of_a_message_is_shown",
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
    "TestTellsAnswers": "test_nothing_of_an_answer_is_shown",
    "TestTellsAside": "test_nothing_of_an_answer_is_shown",
    "TestTellsBelow": "test_nothing_of_an_answer_is_shown",
    "TestPrints": "test_nothing_of_an_answer_is_shown",
    "TestOnlyEnglish": "test_rubbish_is_read_or_refused",
    "TestLaxInFrench": "test_other_answers_are_wrong",
    "TestNotInPersian": "test_the_fact_is_the_right_answer",
    "TestLaxWithoutOther": "test_other_answers_are_wrong",
    "TestTellsNumber": "test_nothing_of_a_signal_is_shown",
    "TestTruthy": "test_what_a_source_should_not_say_never_passes",
    "TestFalsy": "test_what_a_source_should_not_say_never_passes",
    "TestCounts": "test_it_answers_the_same_twice",
    "TestQuotes": "test_nothing_of_a_query_is_shown",
    "TestTells": "test_nothing_of_a_query_is_shown",
    "TestHangs": "test_it_answers_in_time",
    "TestBroken": "test_it_replies",
    "TestBrokenAndOut": "test_it_replies",
    "TestWraps": "test_it_replies",
    "TestDown": "test_it_replies",
    "TestNotOut": "test_it_replies",
    "TestFirst": "test_two_customers_are_told_apart",
    "TestCaches": "test_two_customers_are_told_apart",
    "TestCachesForAll": "test_two_customers_are_told_apart",
    "TestKeeps": "test_many_at_once",
    "TestAsyncKeeps": "test_many_at_once",
    "TestCountsInObjects": "test_it_answers_the_same_twice",
    "TestCauses": "test_nothing_of_a_query_is_shown",
    "TestAttaches": "test_nothing_of_a_query_is_shown",
    "TestTellsAlways": "test_nothing_of_a_query_is_shown",
    "TestTellsOfOthers": "test_nothing_of_a_query_is_shown",
}
MISUSED = {
    "TestNoGet": "a source has get(query)",
    "TestTakesNothing": "def get(self, query)",
    "TestSenderItself": "`return lambda: Good(...)`, not `return Good(...)`",
    "TestSenderClassInAFunction": "write `return Good`",
    "TestSenderWithArguments": "`return lambda: Good(...)`, since Good takes arguments",
    "TestNoSend": "a sender has send(message)",
    "TestNothingMade": "it returned nothing",
    "TestMadeByACoroutine": "making is not awaited",
    "TestDeliveredAList": "write `return lambda: ...`",
    "TestDeliveredMessages": "[(each.destination, each.text) for each in box]",
    "TestCheckItself": "`return lambda: Pin(...)`, not `return Pin(...)`",
    "TestCheckClassInAFunction": "write `return Pin`",
    "TestWeakFact": "weak_pin",
    "TestSourceItself": "`return lambda: Source(...)`, not `return Source(...)`",
    "TestSourceClassInAFunction": "write `return Source`",
    "TestOtherQuery": "replace(query, subject=..., number=...)",
    "TestJudge": "`return SimSwap()`",
    "TestSetLater": "('sms',)",
}
"""What a contract says that was used wrongly."""


@pytest.fixture(scope="module")
def failed(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], str]:
    folder: Path = tmp_path_factory.mktemp("planted")
    (folder / "test_planted.py").write_text(PLANTED, encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "--tb=no", "-rfE"]
    tried = [f"test_planted.py::{name}::{test}" for name, test in FAULTS.items()]
    tried += [f"test_planted.py::{name}" for name in sorted(SOUND) + list(MISUSED)]
    done = subprocess.run(
        [*command, *tried], cwd=folder, capture_output=True, text=True, check=False,
        env=os.environ | {"COLUMNS": "500"},
    )  # fmt: skip
    lines = [line.split("::", 2) for line in done.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))]
    assert lines, done.stdout + done.stderr
    assert all(len(line) == 3 for line in lines), done.stdout
    found: dict[tuple[str, str], str] = {}
    for _, name, line in lines:
        test, _, why = line.partition(" - ")
        found[name, test.split("[")[0]] = why
    return found


@pytest.mark.parametrize("name", FAULTS)
def test_a_planted_fault_is_found(name: str, failed: dict[tuple[str, str], str]) -> None:
    assert (name, FAULTS[name]) in failed
    assert "UsageError" not in failed[name, FAULTS[name]]


@pytest.mark.parametrize("name", sorted(SOUND))
def test_what_is_sound_passes(name: str, failed: dict[tuple[str, str], str]) -> None:
    assert f"class {name}(" in PLANTED
    assert {test: why for (each, test), why in failed.items() if each == name} == {}


@pytest.mark.parametrize("name", MISUSED)
def test_misuse_says_what_to_write_instead(name: str, failed: dict[tuple[str, str], str]) -> None:
    found = {why for (each, _), why in failed.items() if each == name}
    assert found
    assert [why for why in found if "UsageError" not in why or MISUSED[name] not in why] == []


@pytest.mark.parametrize(
    ("contract", "wrong", "told"),
    [
        (SenderContract, {"channels": "sms"}, r"write channels = \('sms',\)"),
        (SenderContract, {"channels": ()}, r"nothing would be tried: write channels = \(\"sms\",\)"),
        (SenderContract, {"stand_ins": "mail.log"}, r"write stand_ins = \('mail.log',\)"),
        (SignalContract, {"stand_ins": "werkzeug"}, r"write stand_ins = \('werkzeug',\)"),
        (SenderContract, {"channels": (None,)}, r"tuple of str: write channels"),
        (CheckContract, {"passing": True}, r"write passing = \(True,\)"),
        (CheckContract, {"passing": {"swapped": False}}, r"write passing = \(\{'swapped': False\},\)"),
        (CheckContract, {"passing": {False}}, r"write passing = \(False,\)"),
        (CheckContract, {"same": "4 9 3 7"}, r"write same = \('4 9 3 7',\)"),
        (CheckContract, {"other": "4938"}, r"write other = \('4938',\)"),
        (CheckContract, {"other": (4938,)}, r"tuple of str: write other"),
        (CheckContract, {"same": None}, r"write same = \("),
    ],
)
def test_what_is_no_tuple_is_refused_where_it_is_written(contract: type, wrong: dict[str, Any], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        type("TestMine", (contract,), wrong)


def test_a_list_is_as_good_as_a_tuple() -> None:
    assert type("TestMine", (SenderContract,), {"channels": ["sms"]})


def test_the_log_is_looked_through_at_debug() -> None:
    assert logging.getLogger("carrier").getEffectiveLevel() > logging.DEBUG  # it is the contract that lowers it


# ── Comparing replies ────────────────────────────────────────────────────────────────────────────────────────────────


class NoTruth:
    """Compares as an array does: element by element, without a yes or a no."""

    def __init__(self, held: int) -> None:
        self.held = held

    def __eq__(self, other: object) -> Any:
        return NoTruth(0)

    def __bool__(self) -> bool:
        raise TypeError

    def __repr__(self) -> str:
        return f"NoTruth({self.held})"

    __hash__ = None  # type: ignore[assignment]


class Node:
    def __init__(self, held: object = None) -> None:
        self.held = held or self


class Sealed(Node):
    def __getstate__(self) -> object:
        raise TypeError


NAN = float("nan")
ALIKE = [
    (1, 1.0), (NAN, -NAN), ({"a": [NAN, Node(2)]}, {"a": [NAN, Node(2)]}), (Node(), Node()), (Sealed(1), Sealed(2)),
    (NoTruth(1), NoTruth(1)), (ValueError("at 12:00"), ValueError("at 12:01")), ((Node(1),), (Node(1),)),
]  # fmt: skip
APART = [
    (1, 2), (NAN, 1.0), ({"a": 1}, {"b": 1}), ([1], [1, 2]), ([1], (1,)), (Node(1), Node(2)), (Node(1), Sealed(1)),
    (NoTruth(1), NoTruth(2)), (ValueError("x"), TypeError("x")), (ValueError("x"), "x"), (date.min, date.max),
]  # fmt: skip


@pytest.mark.parametrize(("one", "other"), ALIKE, ids=range(len(ALIKE)))
def test_replies_that_say_the_same_are_alike(one: object, other: object) -> None:
    assert _alike(one, other)


@pytest.mark.parametrize(("one", "other"), APART, ids=range(len(APART)))
def test_replies_that_say_something_else_are_not(one: object, other: object) -> None:
    assert not _alike(one, other)


# ── What is heard ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_log_that_holds_a_short_answer_by_chance_does_not_tell_it() -> None:
    assert not _tells(b"took 0.4937 s, of 1493700", "4937")
    assert _tells(b"heard 4937.", "4937")
    assert _tells(b"heard PAPAGEIENGASSE", "Papageiengasse")


def test_what_another_thread_prints_is_passed_on(capsys: pytest.CaptureFixture[str]) -> None:
    with logged() as log:
        print("mine")  # noqa: T201 - that it is heard is the point
        other = threading.Thread(target=print, args=("theirs",))
        other.start()
        other.join()
    assert log() == b"mine\n"
    assert capsys.readouterr().out == "theirs\n"


def test_what_fails_at_once_stands_in_place_of_its_result() -> None:
    async def later(found: object) -> object:
        if isinstance(found, Exception):
            raise found
        return found

    loop = Loop()
    wrong = ValueError("x")
    try:
        found = loop.at_once([lambda: 1, lambda: next(iter(())), lambda: later(2), lambda: later(wrong)])
    finally:
        loop.done()
    assert [found[0], *found[2:]] == [1, 2, wrong]
    assert isinstance(found[1], StopIteration)
