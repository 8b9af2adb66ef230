"""What every check is, and the two bases that an integrator's own checks build on.

A check is a value: its id, what is asked, what its outcomes weigh, and how an answer or a signal is judged. Hashing,
budgets, order and verdict are the library's. A check of your own in ten lines::

    class FirstSchool(AnswerCheck):
        prompts = {"en": "Which was your first school?"}
        likelihoods = Likelihoods(
            genuine={Outcome.PASS: "0.8", Outcome.NEAR: "0.05"},
            classes={"stranger": {Outcome.PASS: "0.01", Outcome.NEAR: "0.001"}, ...},
            source="our own count of 2031",
        )

        def forms(self, said, *, locale, now):
            return text.forms(said)

What these methods raise or return beyond their types is caught: the check then fails, and the observer is told.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any, Final, NoReturn, Self

from kyc_verify import prompts as shipped
from kyc_verify.answers import Clarify, Forms, Refused, common
from kyc_verify.call import Call, Contact, Customer
from kyc_verify.errors import UsageError
from kyc_verify.terms import Entry, Factor, Method, Outcome
from kyc_verify.threats import Likelihoods

__all__ = ["AnswerCheck", "AskedCheck", "Check", "Signal", "SignalCheck"]

_CAPITAL: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


class Check:
    """One layer of a policy; immutable, equal to another of the same class and parameters.

    A subclass sets class attributes; those that `__init__` takes may also be given to an instance.

    Attributes:
        id: Names it in a policy, in facts and in records; by default the class's name in snake case.
        row: Row of the threat model's table that says what its outcomes weigh.
        likelihoods: Its own, instead of a row; a custom check needs them.
        factor: What kind of evidence it gives.
        asset: What it rests on (``sim``, ``app``, ``mailbox``): one asset counts once among the factors.
        methods: RFC 8176 values that a pass shows.
        seconds: What it costs a call; None: as the row says.
        tries: How many answers one run takes; the table's cells are meant of all of them together.
        uses_contact: Whether it stands or falls with the customer's number.
        least_age: How long that number must have been known, even where the policy's cool-off is shorter.
    """

    id: str = ""
    row: str | None = None
    likelihoods: Likelihoods | None = None
    factor: Factor = Factor.CONTEXT
    asset: str | None = None
    methods: tuple[Method, ...] = ()
    seconds: int | None = None
    tries: int = 1
    uses_contact: bool = False
    least_age: timedelta = timedelta(0)

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "id" not in cls.__dict__:
            cls.id = _CAPITAL.sub("_", cls.__name__).lower()

    def __init__(self, id: str | None = None, **parameters: Any) -> None:  # noqa: A002 - the name of the field
        """Take what differs from the class; None leaves the class's own."""
        given = {"id": id, **parameters}
        for name, value in given.items():
            if value is not None:
                object.__setattr__(self, name, _frozen(value))

    def __setattr__(self, name: str, value: object) -> NoReturn:
        msg = f"a check is immutable; make another with {name}="
        raise UsageError(msg)

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self.parameters() == other.parameters()

    def __hash__(self) -> int:
        return hash((type(self), self.id))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.id!r})"

    def parameters(self) -> dict[str, object]:
        """What this instance was given: enough, with the class, to make it again."""
        return {"id": self.id, **vars(self)}

    def exposed(self) -> Self:
        """Return the check as an incident leaves it: every class passes it for certain, and it says nothing."""
        changed = object.__new__(type(self))
        vars(changed).update(vars(self))
        if self.likelihoods is not None:
            vars(changed)["likelihoods"] = replace(self.likelihoods, exposed=True)
        return changed


def _frozen(value: object) -> object:
    if isinstance(value, dict):
        return MappingProxyType({key: _frozen(item) for key, item in value.items()})
    return tuple(map(_frozen, value)) if isinstance(value, list) else value


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """What a `SignalCheck` judges.

    Attributes:
        value: What the source returned; None for a check without a source.
        now: When it was asked.
        call: The call, with the presented number and its attestation.
        customer: The CRM's record.
        contact: The contact on record that calls and codes use; None when there is none.
    """

    value: object = field(repr=False)
    now: datetime
    call: Call
    customer: Customer = field(repr=False)
    contact: Contact | None = field(repr=False)


class SignalCheck(Check):
    """A check that asks the caller nothing: it costs 0 seconds and comes first.

    Attributes:
        source: Name of the `SignalSource` among the verifier's ``signals``: by default the class's id. A check that
            judges the call itself says ``source = None``.
        taints_contact: Whether its FAIL says that the number on record may be in other hands. Nothing is sent to that
            number in the rest of the run then, and it is not called.
    """

    source: str | None = None
    taints_contact: bool = False

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        own = cls.__mro__[: cls.__mro__.index(SignalCheck)]
        if not any("source" in vars(base) for base in own):
            cls.source = cls.id

    def __init__(
        self,
        id: str | None = None,  # noqa: A002 - the name of the field
        *,
        likelihoods: Likelihoods | None = None,
        source: str | None = None,
        asset: str | None = None,
    ) -> None:
        super().__init__(id, likelihoods=likelihoods, source=source, asset=asset)

    def judge(self, signal: Signal) -> Outcome:
        """Judge what the source said. UNAVAILABLE is for what the source does not cover, never for a failure."""
        raise NotImplementedError


class AskedCheck(Check):
    """A check that the agent puts to the caller.

    Attributes:
        entry: What a screen or a keypad should offer.
        prompts: What to say, by language; empty: the shipped texts have it.
        by_agent: Whether only an agent may answer it: never the caller, on a leg that takes no text.
    """

    entry: Entry = Entry.TEXT
    by_agent: bool = False
    prompts: Mapping[str, str] = MappingProxyType({})

    def prompt(self, *wanted: str | None) -> str:
        """Return the question in the first wanted language that there is."""
        if self.prompts:
            return shipped.pick(self.prompts, *wanted)
        return shipped.text(f"ask.{self.prompt_key()}", shipped.language(*wanted))

    def prompt_key(self) -> str:
        """Name the shipped text, whatever this one's id; a check of one's own brings `prompts` instead."""
        return type(self).id


class AnswerCheck(AskedCheck):
    """A question whose answer the customer knows.

    Attributes:
        kind: Names the way answers are read; bound into the credential.
        forms_version: Goes up when `forms` changes what it returns; what was enrolled before is read by `forms_of`.
        stored: False: the truth comes from ``Customer.facts`` at call time and is never stored.
    """

    factor = Factor.KNOWLEDGE
    methods = (Method.KBA,)
    kind: str = ""
    forms_version: int = 1
    stored: bool = True

    def __init__(
        self,
        id: str | None = None,  # noqa: A002 - the name of the field
        *,
        prompts: Mapping[str, str] | None = None,
        likelihoods: Likelihoods | None = None,
        asset: str | None = None,
        seconds: int | None = None,
    ) -> None:
        texts: object = dict(prompts) if isinstance(prompts, Mapping) else prompts
        super().__init__(id, prompts=texts, likelihoods=likelihoods, asset=asset, seconds=seconds)

    def forms(self, said: str, *, locale: str | None, now: datetime) -> Forms | Clarify:
        """Return the canonical forms of what was said, or the question to ask back.

        It is also given the fact at enrollment. Pure: the same text and time give the same forms.

        Raises:
            Refused: it cannot be read as this kind of answer; said to a challenge, it is then a wrong one.
        """
        raise NotImplementedError

    def forms_of(self, version: int, said: str, *, locale: str | None, now: datetime) -> Forms | Clarify:
        """Return the forms as an older `forms_version` made them, so that what was enrolled then keeps verifying.

        Override it when `forms_version` goes up. As it stands it is today's `forms`, which match what both versions
        read alike and nothing else.

        Raises:
            Refused: as `forms`.
        """
        del version
        return self.forms(said, locale=locale, now=now)

    def enrolled(self, fact: object, *, locale: str | None, now: datetime) -> Forms:
        """Return the forms of a fact to enroll.

        Raises:
            Refused: with the reason, a key of `answers.forms.REFUSALS`.
        """
        if type(fact) is not str:
            raise Refused("wrong_type")
        common.check_enrollable(fact, question=self._question())
        found = self.forms(fact, locale=locale, now=now)
        if not isinstance(found, Forms):
            raise Refused("unreadable")
        return found

    def _question(self) -> Mapping[str, str] | str:
        return self.prompts or ""

    def storage_kind(self) -> str:
        """Return what the credential is bound to as its kind."""
        return self.kind or f"custom:{type(self).__name__}"
