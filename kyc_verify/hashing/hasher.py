"""Answers at rest: one slow hash for a check, whatever the number of forms that are compared.

Theory of operation. The coarse form goes, under the pepper, through Argon2id; the 32 bytes that come out are a key, and
everything else is a fast tag under it: `full` of the fine form, `near` of nothing (the key alone shows that the coarse
forms agree). What is bound (tenant, subject, check, kind, version of the forms) is in the slow hash and in a seal over
the whole record, and comes from the caller, never from the record: a record moved elsewhere fails its seal.

Every answer costs the same number of slow hashes: one, and one more while an older key or profile is being replaced,
whose result is thrown away unless the answer passes. A subject that is unknown, not enrolled or whose record is damaged
pays the same with a decoy, at a cost drawn among those in use.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from hashlib import sha256
from typing import ClassVar, Final, Literal, Self, Unpack

from kyc_verify.answers import Forms
from kyc_verify.answers.forms import REFUSALS
from kyc_verify.credentials import Argon2Profile, Credential
from kyc_verify.errors import EnrollmentError, UsageError
from kyc_verify.hashing import slow
from kyc_verify.hashing.grading import TYPO, Kept, checked, grade, kept, readable, typo_tags
from kyc_verify.hashing.keyed import KeyedTags
from kyc_verify.hashing.keyring import Keyring, Label
from kyc_verify.hashing.marks import mark_of, read_mark
from kyc_verify.hashing.records import SALT, AnswerContext, answer_context, moment, sealed, well_formed, well_sealed
from kyc_verify.hashing.tags import mac, text
from kyc_verify.terms import Outcome, Secret

__all__ = ["SecretHasher", "Verified"]

Alarm = Literal["bad_seal", "missing_key"]

_PADDED: Final = 64
_PUBLIC: Final = {"unpeppered": sha256(b"kyc_verify: everybody knows this key").digest()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """What comparing one answer gave.

    Attributes:
        outcome: PASS, NEAR or FAIL.
        mark: By which `SecretHasher.same_try` tells the same answer sent again from another one; plain text.
        rehash: What to replace the credential with; only ever after a PASS.
        alarm: ``bad_seal``: the record is damaged, forged or moved. ``missing_key``: its key is not a pepper any more.
    """

    outcome: Outcome
    mark: str = field(repr=False)
    rehash: Credential | None = None
    alarm: Alarm | None = None


class SecretHasher(KeyedTags):
    """Hashes answers for storage and compares them; immutable, shared by threads and across a fork.

    Every comparison is slow and holds memory (64 MiB by default): run it in an executor, a few at once.

    Args:
        keyring: The peppers.
        profile: Cost of a new hash: ``rfc9106_low_memory`` (64 MiB, 3 passes, 4 lanes), ``owasp`` (19 MiB, 2 passes, 1
            lane: the minimum) or an `Argon2Profile`.
        older_profiles: Profiles that stored credentials still have. Declared, cheaper ones are replaced at the next
            PASS, decoys are drawn from all of them, and every answer costs a second hash. An undeclared one verifies
            and stays, but by its time it tells an enrolled subject from an unknown one.

    Raises:
        ConfigurationError: a profile is weaker than OWASP's minimum, or argon2-cffi cannot be loaded.
    """

    __slots__ = ("_in_use", "_twice")

    _floor: ClassVar[tuple[Argon2Profile, ...]] = slow.FLOOR

    def __init__(
        self,
        keyring: Keyring,
        *,
        profile: str | Argon2Profile = "rfc9106_low_memory",
        older_profiles: Iterable[str | Argon2Profile] = (),
    ) -> None:
        super().__init__(keyring)
        self._in_use = tuple(slow.profile(given, self._floor) for given in (profile, *older_profiles))
        self._twice = len(self._in_use) > 1 or bool(keyring.retired)
        slow.ready()

    @classmethod
    def unpeppered(cls, *, profile: str | Argon2Profile = "rfc9106_low_memory") -> Self:
        """Make a hasher whose key everybody knows.

        Security:
            Only Argon2 stands between a copy of the database and the answers: at 64 MiB, on the two cores it was
            measured on, 17 minutes for a 4-digit PIN, half a minute for an 8-bit secret, a tenth of a second for an
            opening month. Where the secret is not in the slow hash nothing does: a one-time code costs three seconds of
            HMAC, and anybody can derive a grant, forge a seal or an audit chain, and find the number of a fingerprint.
            For trials only.
        """
        return cls(Keyring(_PUBLIC), profile=profile)

    @property
    def profile(self) -> Argon2Profile:
        """Cost of a new hash."""
        return self._in_use[0]

    def has_key(self, credential: Credential) -> bool:
        """Whether the credential's key is still a pepper; without it nothing can be compared, at any cost."""
        key_id: object = _record(credential).key_id
        return type(key_id) is str and key_id in self._keyring.peppers

    def needs_rehash(self, credential: Credential) -> bool:
        """Whether a credential has a retired key, or costs less than a new one would. A damaged one is not replaced."""
        if not well_formed(_record(credential), self._floor):
            return False
        return credential.key_id in self._keyring.retired or slow.cost(credential.profile) < slow.cost(self.profile)

    def enroll(
        self, forms: Forms, *, at: datetime, by: str, call: str | None = None, **about: Unpack[AnswerContext]
    ) -> Credential:
        """Hash a fact for storage.

        Args:
            forms: Its forms; graded ones belong to an answer, not to a fact.
            at: When; aware.
            by: Agent or system that enrolls it.
            call: Id of the call, if there is one.
            about: What it is bound to: tenant, subject, check, kind and forms_version.

        Raises:
            EnrollmentError: ``blank``: nothing is left of the fact once it is folded.
            Busy: there is no memory for the hash.
        """
        context, fact, when = answer_context(**about), checked(forms), moment(at).astimezone(UTC)
        text(by, "by")
        if call is not None:
            text(call, "call")
        if fact.graded:
            msg = "graded forms are those of an answer; enroll the forms of the fact"
            raise UsageError(msg)
        if not readable(fact):
            raise EnrollmentError({about["check"]: "blank"}, {about["check"]: REFUSALS["blank"]})
        made = replace(self._empty(about), enrolled_at=when, enrolled_by=by, enrolled_call=call)
        return self._filled(made, context, fact, fact.fine)

    def verify(self, credential: Credential | None, forms: Forms | None, **about: Unpack[AnswerContext]) -> Verified:
        """Compare an answer with what is stored.

        Args:
            credential: What is stored; None where there is nothing: a decoy then costs the same, and it fails.
            forms: What was said; None when it cannot be read.
            about: What it must be bound to (tenant, subject, check, kind, forms_version): the session's, not the
                record's.

        Raises:
            Busy: there is no memory for the hash; nothing is revealed.

        Security:
            One slow hash, or two while the keyring has a retired key or an older profile is declared, whatever the
            answer, the record or the subject. The seal is checked first, and costs read from a record are bounded.
        """
        context, said = answer_context(**about), checked(forms)
        alarm = None if credential is None else self._alarm(_record(credential), context)
        record = self._decoy(about) if credential is None or alarm else credential
        outcome, fine, mark = self._compared(record, context, said)
        fresh = self._replaced(replace(record, **about), context, said, fine) if self._twice else None
        if record is not credential or not readable(said):
            outcome = Outcome.FAIL
        replaced = outcome is Outcome.PASS and self.needs_rehash(record)
        return Verified(outcome=outcome, mark=mark, rehash=fresh if replaced else None, alarm=alarm)

    def truth(self, true: Forms | None, said: Forms | None, **about: Unpack[AnswerContext]) -> Verified:
        """Compare an answer with a truth that is known only now and never stored.

        Args:
            true: The forms of the truth; None where there is none: it then fails at the same cost.
            said: What was said; None when it cannot be read.
            about: As for `verify`.

        Raises:
            Busy: there is no memory for the hash; nothing is revealed.
        """
        context, fact, answer = answer_context(**about), checked(true), checked(said)
        record = self._empty(about)  # the mark, which is stored, must cost as much to guess from as a credential
        mark = mark_of(self._key(record, context, answer), answer, record)
        outcome = _compare_once(fact, answer)
        return Verified(outcome=outcome if readable(fact) and readable(answer) else Outcome.FAIL, mark=mark)

    def same_try(self, mark: str, forms: Forms | None, **about: Unpack[AnswerContext]) -> bool:
        """Whether an answer is the very one that a mark was made of; costs one slow hash.

        A damaged mark, and one whose key is no longer a pepper, is of no answer.
        """
        context, said = answer_context(**about), checked(forms)
        made, record = read_mark(text(mark, "mark")), self._empty(about)  # whose fresh salt is in no mark
        if made is not None and slow.bounded(made.profile, self._floor) and made.key_id in self._keyring.peppers:
            record = replace(record, **made._asdict())
        again = mark_of(self._key(record, context, said), said, record)
        return hmac.compare_digest(again.encode(), mark.encode("utf-8", "surrogatepass"))

    @staticmethod
    def forms_version(mark: str) -> int | None:
        """Return the version of the forms that a mark was made of; None for what is no mark."""
        made = read_mark(text(mark, "mark"))
        return None if made is None else made.forms_version

    def _alarm(self, record: Credential, context: bytes) -> Alarm | None:
        if not well_formed(record, self._floor):
            return "bad_seal"
        if record.key_id not in self._keyring.peppers:
            return "missing_key"
        key = self._keyring.key(Label.SEAL, record.key_id)
        return None if well_sealed(record, context, key=key) else "bad_seal"

    def _compared(self, record: Credential, context: bytes, said: Forms) -> tuple[Outcome, Secret, str]:
        # A frame of its own: should the second hash fail, no frame of that traceback holds this key.
        key = self._key(record, context, said)
        true = Kept(record.full, record.near, record.typo)
        outcome, fine = grade(key, said, true, self._typo(record, context, said))
        return outcome, fine, mark_of(key, said, record)

    def _replaced(self, record: Credential, context: bytes, said: Forms, fine: Secret) -> Credential:
        costs = max(record.profile, self.profile, key=slow.cost)  # never down
        fresh = replace(record, profile=costs, salt=secrets.token_bytes(SALT), key_id=self._keyring.active)
        return self._filled(fresh, context, said, fine)

    def _filled(self, record: Credential, context: bytes, forms: Forms, fine: Secret) -> Credential:
        """Fill in the tags and the seal; the number of typo tags is rounded up, as it is the length of the answer."""
        typo = self._typo(record, context, forms)
        typo += tuple(secrets.token_bytes(TYPO) for _ in range(-len(typo) % _PADDED))
        true = kept(self._key(record, context, forms), fine, near=forms.near, typo=typo)
        whole = replace(record, full=true.full, near=true.near, typo=true.typo)
        return sealed(whole, context, key=self._keyring.key(Label.SEAL, record.key_id))

    def _key(self, record: Credential, context: bytes, forms: Forms) -> bytes:
        """Run the one slow hash; nothing that goes into it is named, so that no traceback of it shows any."""
        return slow.argon2id(
            mac(self._keyring.key(Label.PEPPER, record.key_id), "answer", context, forms.coarse.reveal()),
            record.salt,
            record.profile,
        )

    def _typo(self, record: Credential, context: bytes, forms: Forms) -> tuple[bytes, ...]:
        if not forms.typo:  # the check's doing, the same for every subject
            return ()
        pepper = self._keyring.key(Label.PEPPER, record.key_id)
        return typo_tags(mac(pepper, "typo", context, record.salt), forms)

    def _empty(self, about: AnswerContext) -> Credential:
        """Return a record that no answer fits, at today's cost and with a salt of its own."""
        return Credential(
            **about,
            profile=self.profile,
            salt=secrets.token_bytes(SALT),
            key_id=self._keyring.active,
            full=bytes(32),
            enrolled_at=datetime(1970, 1, 1, tzinfo=UTC),
            enrolled_by="nobody",
        )

    def _decoy(self, about: AnswerContext) -> Credential:
        drawn = self.order_draw("decoy", about["tenant"], about["subject"])
        return replace(self._empty(about), profile=self._in_use[int.from_bytes(drawn) % len(self._in_use)])


def _record(credential: object) -> Credential:
    if not isinstance(credential, Credential):
        msg = "pass a Credential, or None where nothing is stored"
        raise UsageError(msg)
    return credential


def _compare_once(fact: Forms, answer: Forms) -> Outcome:
    """Grade two answers by tags under a key that is drawn for it and forgotten."""
    ephemeral = secrets.token_bytes(32)
    true = kept(
        mac(ephemeral, "coarse", fact.coarse.reveal()), fact.fine, near=fact.near, typo=typo_tags(ephemeral, fact)
    )
    said = mac(ephemeral, "coarse", answer.coarse.reveal())
    return grade(said, answer, true, typo_tags(ephemeral, answer))[0]
