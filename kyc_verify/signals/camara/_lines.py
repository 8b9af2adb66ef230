"""What a carrier knows of the line: SIM and device changed, calls forwarded, the number given to somebody else."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from datetime import date
from typing import Any, Final, TypeAlias

from kyc_verify.ports import SignalQuery
from kyc_verify.signals._http.exchange import Failure
from kyc_verify.signals._http.fronts import Said, not_covered
from kyc_verify.signals._http.reading import Unreadable, flag, instant, text, whole
from kyc_verify.signals.camara._common import About

__all__ = ["Forwarding", "Forwardings", "Recycling", "Since", "SwapCheck", "SwapDate", "Tenure", "on_record_since"]

Since: TypeAlias = Callable[[SignalQuery], date | None]

_KINDS: Final = ("inactive", "unconditional", "conditional_busy", "conditional_not_reachable", "conditional_no_answer")
_CONTRACTS: Final = ("PAYG", "PAYM", "Business")
_ANY_DAY: Final = date(2020, 1, 1)
_MOST_DAYS: Final = 100_000


class SwapCheck(About):
    """``POST /check`` of SIM Swap or Device Swap: changed within so many hours?"""

    def __init__(self, name: str, path: str, hours: int) -> None:
        self.name, self.path, self.hours = name, f"{path}/check", hours

    def body(self, query: SignalQuery) -> tuple[dict[str, object], object]:
        """Return the window, in hours."""
        del query
        return {"maxAge": self.hours}, None

    def known(self, found: object, query: SignalQuery, about: Any) -> Said:  # noqa: ANN401 - the request's
        """Read ``swapped``."""
        del query, about
        return {"covered": True, "swapped": flag(found, "swapped")}


class SwapDate(About):
    """``POST /retrieve-date``: when was the last change?"""

    def __init__(self, name: str, path: str, field: str) -> None:
        self.name, self.path, self.field = name, f"{path}/retrieve-date", field

    def known(self, found: object, query: SignalQuery, about: Any) -> Said:  # noqa: ANN401 - the request's
        """Read the date. Null is no date and no proof that there was none: it is not known."""
        del about
        whole(found, "monitoredPeriod", 0, _MOST_DAYS)
        if type(found) is not dict or self.field not in found:
            raise Unreadable
        at = instant(found, self.field)
        return not_covered(query, "no_date") if at is None else {"covered": True, "changed_at": at}


class Forwarding(About):
    """``POST /unconditional-call-forwardings``: do all calls go elsewhere?"""

    name = "call_forwarding"
    path = "/call-forwarding-signal/v0.4/unconditional-call-forwardings"

    def known(self, found: object, query: SignalQuery, about: Any) -> Said:  # noqa: ANN401 - the request's
        """Read ``active``; the schema does not require it, and without it nothing was said."""
        del query, about
        return {"covered": True, "forwarded": flag(found, "active")}


class Forwardings(About):
    """``POST /call-forwardings``: which kinds of forwarding are set?"""

    name = "call_forwardings"
    path = "/call-forwarding-signal/v0.4/call-forwardings"

    def known(self, found: object, query: SignalQuery, about: Any) -> Said:  # noqa: ANN401 - the request's
        """Read the list of kinds; ``inactive`` beside another kind contradicts itself."""
        del query, about
        if type(found) is not list or not found or not all(type(kind) is str and kind in _KINDS for kind in found):
            raise Unreadable
        kinds = tuple(sorted(set(found)))
        if "inactive" in kinds and len(kinds) > 1:
            raise Unreadable
        forwarded = kinds != ("inactive",)
        return {"covered": True, "forwarded": forwarded, "kinds": kinds if forwarded else ()}


def on_record_since(query: SignalQuery) -> date | None:
    """Return since when the CRM has the number."""
    return None if query.contact is None or query.contact.since is None else query.contact.since.date()


class _Dated(About):
    """A question about a day. Without one it is asked all the same, so that it takes as long, and nothing is known."""

    field: str

    def __init__(self, since: Since) -> None:
        self._since = since

    def body(self, query: SignalQuery) -> tuple[dict[str, object], object] | Failure:
        """Return the day."""
        day = self._since(query)
        if day is not None and type(day) is not date:
            return Failure("was not asked: since must give a date or None", sent=False)
        return {self.field: (day or _ANY_DAY).isoformat()}, day

    def known(self, found: object, query: SignalQuery, about: Any) -> Said:  # noqa: ANN401 - the request's
        """Return what the reply says of the day that is really meant."""
        said = self.dated(found)
        return not_covered(query, "no_day") if about is None else said | {"since": about}

    @abstractmethod
    def dated(self, found: object) -> dict[str, object]:
        """Read the reply."""


class Recycling(_Dated):
    """``POST /check`` of Number Recycling: has the number had another holder since that day?"""

    name = "number_recycling"
    path = "/number-recycling/v0.2/check"
    field = "specifiedDate"

    def dated(self, found: object) -> dict[str, object]:
        """Read ``phoneNumberRecycled``."""
        return {"covered": True, "recycled": flag(found, "phoneNumberRecycled")}


class Tenure(_Dated):
    """``POST /check-tenure`` of KYC Tenure: has the holder been the carrier's customer since that day?"""

    name = "kyc_tenure"
    path = "/kyc-tenure/v0.3rc1/check-tenure"
    field = "tenureDate"

    def dated(self, found: object) -> dict[str, object]:
        """Read ``tenureDateCheck`` and ``contractType``."""
        tenured = flag(found, "tenureDateCheck")
        return {"covered": True, "tenured": tenured, "contract": text(found, "contractType", _CONTRACTS)}
