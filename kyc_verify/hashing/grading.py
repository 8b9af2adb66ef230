"""How a try is graded: by tags under the try's own key, without an early exit."""

from __future__ import annotations

import hmac
from typing import Final, NamedTuple

from kyc_verify.answers import Forms
from kyc_verify.errors import UsageError
from kyc_verify.hashing.tags import Tags, mac
from kyc_verify.terms import Outcome, Secret

__all__ = ["NOTHING", "TYPO", "Kept", "checked", "grade", "kept", "readable", "typo_tags"]

TYPO: Final = 16
"""Bytes of the tag of one of the neighbourhood's forms."""
_MOST_GRADED: Final = 2048
_MOST_TYPO: Final = 512
_UNREADABLE: Final = Forms(coarse="", fine="")
"""What is hashed for an answer that could not be read; nothing that can be enrolled has these forms."""


class Kept(NamedTuple):
    """The tags of the true answer; `typo` under a key that does not depend on the answer."""

    full: bytes
    near: bytes | None
    typo: tuple[bytes, ...]


NOTHING: Final = Kept(bytes(32), None, (bytes(16),) * 64)
"""Tags that no answer has."""


def checked(forms: object) -> Forms:
    """Return forms as they are; None, an answer that could not be read, as forms that never match.

    Raises:
        UsageError: not forms, or more of them than any answer has.
    """
    if forms is None:
        return _UNREADABLE
    if not isinstance(forms, Forms):
        msg = "pass the Forms of the answer, or None for one that cannot be read"
        raise UsageError(msg)
    graded: object = forms.graded
    if type(graded) is not tuple or len(graded) > _MOST_GRADED or len(forms.typo) > _MOST_TYPO:
        msg = f"an answer has at most {_MOST_GRADED} graded and {_MOST_TYPO} typo forms, in tuples"
        raise UsageError(msg)
    if not all(type(pair) is tuple and len(pair) == 2 and type(pair[0]) is Secret for pair in graded):  # noqa: PLR2004
        msg = "graded forms are pairs of a Secret and an Outcome"
        raise UsageError(msg)
    return forms


def readable(forms: Forms) -> bool:
    """Whether both forms say anything: a blank answer is never the same as another."""
    return bool(forms.coarse.reveal().strip()) and bool(forms.fine.reveal().strip())


def kept(key: bytes, fine: Secret, *, near: bool, typo: tuple[bytes, ...]) -> Kept:
    """Return the tags of a true answer; `key` is made from its coarse form."""
    return Kept(mac(key, "full", fine.reveal()), mac(key, "near") if near else None, typo)


def typo_tags(key: bytes, forms: Forms) -> tuple[bytes, ...]:
    """Return the tags of the one-deletion neighbourhood, 16 bytes each."""
    return tuple([tag[:TYPO] for tag in Tags(key).each("typo", [form.reveal() for form in forms.typo])])


def grade(key: bytes, said: Forms, true: Kept, typo: tuple[bytes, ...]) -> tuple[Outcome, Secret]:
    """Grade what was said.

    Args:
        key: Made from the coarse form of what was said.
        said: What was said.
        true: Tags of the true answer.
        typo: Tags of the neighbourhood of what was said.

    Returns:
        The outcome, and for PASS the fine form of the true answer: of several months that an answer may mean, the one
        that is stored.
    """
    if said.graded:
        return _graded(key, said, true)
    same = hmac.compare_digest(mac(key, "full", said.fine.reveal()), true.full)
    close = hmac.compare_digest(mac(key, "near"), true.near or NOTHING.full) and said.near
    # Each with each, so that neither a branch nor an early exit tells how much of it agrees.
    hits = sum([hmac.compare_digest(one, other) for one in typo for other in true.typo or NOTHING.typo])
    return Outcome.PASS if same else Outcome.NEAR if close or hits else Outcome.FAIL, said.fine


def _graded(key: bytes, said: Forms, true: Kept) -> tuple[Outcome, Secret]:
    tags = Tags(key).each("full", [fine.reveal() for fine, _ in said.graded])
    hits = [hmac.compare_digest(tag, true.full) for tag in tags]
    at = max([number * hit for number, hit in enumerate(hits, 1)])
    fine, outcome = said.graded[at - 1]
    # A custom check's table may hold anything: by identity, so that only a real PASS or NEAR is one.
    better = outcome is Outcome.PASS or outcome is Outcome.NEAR
    return outcome if at and better else Outcome.FAIL, fine
