"""Who calls in a test: the customer, an attacker as the threat model has them, or whoever says this and that."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from kyc_verify.analysis._setting import Setting
from kyc_verify.call import Call, Stake
from kyc_verify.checks import AnswerCheck, AppConfirmation, AuthenticatorCode, Check, OneTimeCode, SignalCheck
from kyc_verify.decision import Challenge
from kyc_verify.errors import UsageError
from kyc_verify.terms import Outcome
from kyc_verify.testing import _acting as acting
from kyc_verify.testing._given import instead, mapping, names
from kyc_verify.testing.doubles import ScriptedService, ScriptedSignals
from kyc_verify.threats import GENUINE, ThreatModel

if TYPE_CHECKING:
    from kyc_verify.testing.bench import AsyncBench, Bench

__all__ = ["Caller"]

Said: TypeAlias = str | Callable[[Challenge], str | None] | None
Says: TypeAlias = Mapping[tuple[str, Outcome], Any]

_NOTHING: Final[Mapping[Any, Any]] = MappingProxyType({})


class Caller:
    """Somebody on the telephone. Make one with `genuine`, `of_class` or `answers`, and let `Bench.play` call.

    Attributes:
        name: Who it is, in words, for transcripts.
    """

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return f"Caller({self.name!r})"

    @staticmethod
    def genuine(
        facts: Mapping[str, str] | None = None, *, forgets: Collection[str] = (), misspells: Collection[str] = ()
    ) -> Caller:
        """Return the customer: right answers, own number, own telephone.

        Args:
            facts: By check id, how they say it; what is not named they say as the bench's facts have it.
            forgets: Ids of checks at which they cannot recall.
            misspells: Ids of checks at which they make one slip.

        Raises:
            UsageError: a check id where a collection of them belongs.
        """
        said = mapping({} if facts is None else facts, "Caller.genuine", "Caller.genuine({'pin': '4937'})")
        return _Genuine(
            said, frozenset(names(forgets, "forgets", "pin")), frozenset(names(misspells, "misspells", "pin"))
        )

    @staticmethod
    def of_class(
        name: str, threats: ThreatModel | None = None, *, seed: int | str = 0, says: Says = _NOTHING
    ) -> Caller:
        """Return one attacker of a class: how each check ends is drawn from the class's column of the table.

        Played over many seeds, the share that is verified comes to what `analysis.error_rates` says. Pass ``genuine``
        for the customer as the table has them.

        Args:
            name: A class of the model, or ``genuine``.
            threats: The model; None: the policy's own.
            seed: Which of them; the same seed is the same person.
            says: By check id and outcome, what to say (or what the signal's source returns) so that the check ends
                so; only for checks of one's own, where the kit finds nothing by trying.

        Raises:
            UsageError: when it is played: there is no such class, or nothing is known to say for an outcome.
        """
        own = mapping(says, "says", "says={('pin', Outcome.FAIL): '0000'}")
        for key in own:
            if not (isinstance(key, tuple) and len(key) == 2 and isinstance(key[1], Outcome)):  # noqa: PLR2004
                instead(
                    f"says goes by check id and outcome, as in says={{('pin', Outcome.FAIL): '0000'}}, not by {key!r}"
                )
        return _OfClass(name, threats, seed, own)

    @staticmethod
    def answers(said: Mapping[str, Said]) -> Caller:
        """Return one who says this: by check id a text, None for "I cannot recall", or a function of the challenge.

        What is not named is answered rightly, as the customer would.
        """
        given: object = said
        if not isinstance(given, Mapping):
            msg = "Caller.answers takes a mapping of check ids to what is said, as in Caller.answers({'pin': '0000'})"
            raise UsageError(msg)
        for name, each in given.items():
            if not (each is None or isinstance(each, str) or _takes_a_challenge(each)):
                example = f"{{{name!r}: lambda challenge: '0000'}}"
                instead(f"{name}: say a text, None, or a function of the challenge, as in {example}")
        return _Answers(dict(said))

    def on(self, bench: _Desk, *, action: str, stake: Stake | None, call: Call) -> Part:  # noqa: ARG002 - of others
        """Return the part they play in one call on a bench.

        Raises:
            UsageError: it was made with none of `genuine`, `of_class` and `answers`.
        """
        msg = "make a caller with Caller.genuine(), Caller.of_class('stranger') or Caller.answers({'pin': '0000'})"
        raise UsageError(msg)


_Desk: TypeAlias = "Bench | AsyncBench"


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What a caller does in one call.

    Attributes:
        call: The call, with the number it comes from.
        say: What they say to a challenge; None: they cannot recall.
        signals: By source, what it returns meanwhile.
        services: By name, what a code service judges meanwhile.
    """

    call: Call
    say: Callable[[Challenge], str | None]
    signals: Mapping[str, Any] = field(default_factory=dict)
    services: Mapping[str, Outcome | None] = field(default_factory=dict)

    @contextmanager
    def played(self, bench: _Desk) -> Iterator[None]:
        """Let the bench's doubles show it, and then again what they showed before."""
        before: list[tuple[Any, str, Any]] = []
        for name, value in self.signals.items():
            if isinstance(source := bench.signals.get(name), ScriptedSignals):
                before.append((source, "value", source.value))
                source.value = value
        for name, outcome in self.services.items():
            if isinstance(service := bench.services.get(name), ScriptedService):
                before.append((service, "outcome", service.outcome))
                service.outcome = outcome
        try:
            yield
        finally:
            for double, name, value in before:
                setattr(double, name, value)


class _Genuine(Caller):
    def __init__(self, facts: Mapping[str, str], forgets: Collection[str], misspells: Collection[str]) -> None:
        flaws = [f"forgets {', '.join(sorted(forgets))}"] if forgets else []
        flaws += [f"misspells {', '.join(sorted(misspells))}"] if misspells else []
        super().__init__("the customer" + (f", who {' and '.join(flaws)}," if flaws else ""))
        self._facts, self._forgets, self._misspells = facts, forgets, misspells

    def on(self, bench: _Desk, *, action: str, stake: Stake | None, call: Call) -> Part:
        del action, stake
        _known(bench, (*self._facts, *self._forgets, *self._misspells))

        def say(challenge: Challenge) -> str | None:
            if challenge.check in self._forgets:
                return None
            said = self._facts.get(challenge.check)
            right = bench.heard(challenge) if said is None else said
            slips = right is not None and challenge.check in self._misspells
            return next(acting.misspelt(right), right) if slips and right else right

        return Part(call=call, say=say)


class _Answers(Caller):
    def __init__(self, said: Mapping[str, Said]) -> None:
        super().__init__(f"one who has own answers to {', '.join(said) or 'nothing'}")
        self._said = said

    def on(self, bench: _Desk, *, action: str, stake: Stake | None, call: Call) -> Part:
        del action, stake
        _known(bench, self._said)

        def say(challenge: Challenge) -> str | None:
            if challenge.check not in self._said:
                return bench.heard(challenge)
            said = self._said[challenge.check]
            return said(challenge) if callable(said) else said

        return Part(call=call, say=say)


class _OfClass(Caller):
    def __init__(self, name: str, threats: ThreatModel | None, seed: int | str, says: Says) -> None:
        super().__init__(f"a {name}, seed {seed!r},")
        self._class, self._threats, self._seed, self._says = name, threats, seed, says

    def on(self, bench: _Desk, *, action: str, stake: Stake | None, call: Call) -> Part:
        _known(bench, {name for name, _ in self._says})
        if bench.policy.requirement(action, stake)[0].exempt:
            return Part(call=call, say=bench.heard)
        setting = Setting.of(bench.policy, action, threats=self._threats, stake=stake)
        if self._class not in {GENUINE, *setting.threats.names}:
            known = ", ".join((GENUINE, *setting.threats.names))
            msg = f"the threat model has no class {self._class!r}; it has {known}"
            raise UsageError(msg)
        cells = setting.cells(self._class)
        outcomes = {name: _outcome(self._drawn(name), cells[name]) for name in cells}
        signals: dict[str, Any] = {}
        services: dict[str, Outcome | None] = {}
        for name, outcome in outcomes.items():
            check = bench.policy.layer(name)
            if isinstance(check, SignalCheck):
                call, value = self._shown(bench, check, outcome, call)
                if check.source is not None:
                    _scripted(bench.signals, "signals", check.source, ScriptedSignals)
                    signals[check.source] = value
            elif isinstance(check, AppConfirmation):
                _scripted(bench.services, "services", check.service, ScriptedService)
                services[check.service] = outcome
            elif isinstance(check, OneTimeCode) and check.channel.value in bench.services:
                _scripted(bench.services, "services", check.channel.value, ScriptedService)
                services[check.channel.value] = outcome
        turns = dict.fromkeys(outcomes, 0)

        def say(challenge: Challenge) -> str | None:
            check = bench.policy.layer(challenge.check)
            turns[check.id] += 1
            return self._say(bench, check, outcomes[check.id], challenge, turns[check.id] - 1)

        return Part(call=call, say=say, signals=signals, services=services)

    def _shown(self, bench: _Desk, check: SignalCheck, outcome: Outcome, call: Call) -> tuple[Call, Any]:
        if (check.id, outcome) in self._says:
            return call, self._says[check.id, outcome]
        customer = bench.customers[bench.subject]
        contact = next(iter(customer.contacts), None)
        found = acting.shown(
            check, outcome, call=call, customer=customer, contact=contact, now=bench.clock.now
        )  # fmt: skip
        if found is None:
            raise UsageError(_unknown(check, outcome, "what its source returns"))
        return found

    def _say(self, bench: _Desk, check: Check, outcome: Outcome, challenge: Challenge, turn: int) -> str | None:
        if (check.id, outcome) in self._says:
            return str(self._says[check.id, outcome])
        if outcome is Outcome.DECLINED:
            return None
        if outcome is Outcome.PASS or isinstance(check, AppConfirmation):
            return bench.heard(challenge)
        if isinstance(check, OneTimeCode | AuthenticatorCode):
            # A code that was never seen; the right one by chance once in a million.
            return f"{int(self._drawn(f'{check.id}/{turn}') * 10**check.digits):0{check.digits}}"
        return self._knows(bench, check, outcome, turn) if isinstance(check, AnswerCheck) else "no"

    def _drawn(self, what: str) -> float:
        """Return a number from 0 to 1: the same for the same person, so that they can call again."""
        tag = hashlib.sha256(f"{self._class}/{self._seed}/{what}".encode()).digest()
        return int.from_bytes(tag[:6], "big") / 2**48

    @staticmethod
    def _knows(bench: _Desk, check: AnswerCheck, outcome: Outcome, turn: int) -> str:
        fact, now = bench.facts.get(check.id), bench.clock.now
        if outcome is Outcome.FAIL:
            return acting.wrong(check, fact, now=now, turn=turn)
        found = acting.nearly(check, fact, now=now)
        if found is None:
            raise UsageError(_unknown(check, outcome, "what they say"))
        return found


def _scripted(ports: Mapping[str, Any], kind: str, name: str, double: type) -> None:
    """Refuse what could not be told what to say: the drawn outcome would not be the played one."""
    if not isinstance(found := ports.get(name), double):
        instead(
            f"Caller.of_class draws what {kind}[{name!r}] says, and yours, a {type(found).__name__}, cannot be told: "
            f"leave it out, or give the bench {kind}={{{name!r}: {double.__name__}(...)}}"
        )


def _takes_a_challenge(given: object) -> bool:
    if not callable(given):
        return False
    try:
        inspect.signature(given).bind("challenge")
    except TypeError:
        return False
    except ValueError:
        return True  # nobody knows
    return True


def _outcome(drawn: float, cells: Mapping[Outcome, Any]) -> Outcome:
    for outcome, share in cells.items():
        drawn -= float(share)
        if drawn < 0:
            return outcome
    return Outcome.FAIL


def _unknown(check: Check, outcome: Outcome, what: str) -> str:
    return (
        f"the kit does not know how {check.id!r} ends as {outcome.value}: say {what} with "
        f"Caller.of_class(..., says={{({check.id!r}, Outcome.{outcome.name}): ...}})"
    )


def _known(bench: _Desk, names: Collection[str]) -> None:
    known = [check.id for check in bench.policy.checks]
    if odd := sorted(set(names).difference(known)):
        msg = f"the policy has no check {', '.join(map(repr, odd))}; it has {', '.join(known)}"
        raise UsageError(msg)
