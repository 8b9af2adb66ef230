"""A yes or a no, as an agent types it or presses it, in English, French, Spanish and Persian."""

from __future__ import annotations

from typing import Final

from kyc_verify.answers.text import fold

__all__ = ["read"]

_YES: Final = frozenset(
    """yes y yeah yep ok okay confirm confirmed done true 1 oui o confirme confirmee fait si s confirmo confirmado hecho
    بله بلی اری تایید تاییدشد انجامشد باشه""".split(),  # noqa: SIM905 - a word list
)
_NO: Final = frozenset(
    "no n nope not refused failed false 0 non refuse refusee rechazado rechazo نه خیر نشد رد".split(),  # noqa: SIM905
)


def read(said: str) -> bool | None:
    """Return whether it was a yes; None when it was neither.

    Raises:
        Refused: ``too_long`` or ``unencodable``.

    Example:
        >>> read("Oui."), read("non"), read("perhaps")
        (True, False, None)
    """
    word = fold(said).replace(" ", "")
    return True if word in _YES else False if word in _NO else None
