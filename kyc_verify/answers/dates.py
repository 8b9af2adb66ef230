"""Birth dates as people say and type them, in English, French, Spanish and Persian.

`read` never invents what was not said: without a day, a month or a year there is no date. Two-digit years are the
latest past ones. Years that only the Persian calendar can mean are converted. When day and month could be either
and the locale does not say which comes first, the answer is a question back.
"""

from __future__ import annotations

import re
from datetime import date, datetime
from fractions import Fraction
from typing import Final

from kyc_verify.answers._calendar import JALALI_MONTHS, MONTHS, gregorian, is_jalali_year
from kyc_verify.answers._fold import fold_text
from kyc_verify.answers._numbers import AND, ORDINALS, Token, read_numbers
from kyc_verify.answers.forms import Clarify, Forms, Refused
from kyc_verify.answers.text import fold

__all__ = ["OLDEST", "VERSION", "check_enrollable", "forms", "read"]

VERSION: Final = 1
"""Version of these forms, stored with each credential."""

OLDEST: Final = 127
"""Years after which a birth date is refused; nobody has lived to 123."""

# A day as machines write it, the time of day left out; dateutil would swap its day and month where days come first.
_ISO: Final = re.compile(r"\s*([0-9]{4})-?([0-9]{2})-?([0-9]{2})[Tt ][0-9]{2}(?::?[0-9]{2}.*)?\Z", re.DOTALL)
# What dateutil puts in place of parts that were not said: what depends on it was invented.
_UNSAID: Final = (datetime(2000, 1, 1), datetime(2003, 2, 3))  # noqa: DTZ001
_DIGIT_WORD: Final = re.compile(r"(?<=[^\W\d_])(?=\d)|(?<=\d)(?=[^\W\d_])")
_ORDINALS: Final = frozenset("st nd rd th er ere eme e o a ro do to no mo ام م".split())  # noqa: SIM905
_FILLERS: Final = frozenset(
    # Weekdays, and what stands around a date.
    """
    the of on in le la du de d l el del en i was is it s my born birthday birth date dob day year month um uh er
    je suis ne nee naissance date anniversaire jour an annee mois ma mon c est en l
    naci nacido nacida nacimiento fecha dia ano mes mi es soy fue cumpleanos
    monday tuesday wednesday thursday friday saturday sunday mon tue wed thu fri sat sun
    lundi mardi mercredi jeudi vendredi samedi dimanche lunes martes miercoles jueves viernes sabado domingo
    سال ماه روز متولد تولد تولدم تاریخ در ام من هستم م به دنیا امدم هجری شمسی میلادی خورشیدی
    شنبه یکشنبه دوشنبه سه شنبه سهشنبه چهارشنبه پنجشنبه جمعه
    """.split(),  # noqa: SIM905 - a word list
)  # fmt: skip


def _tokens(text: str) -> list[Token]:
    # A joiner is a word's end here: number words are written with one.
    folded = fold_text(text.replace("\u200c", " "))
    tokens = read_numbers(_DIGIT_WORD.sub(" ", folded).split())
    out: list[Token] = []
    for token in tokens:
        ordinal = ORDINALS.get(token.word) if token.number is None else None
        if ordinal is None:
            out.append(token)
            continue
        tens = out[-1].whole if out and out[-1].spoken else None
        joined = out[-2].whole if len(out) > 1 and out[-1].word in AND and out[-2].spoken else None
        if tens in {20, 30} and ordinal < 10:  # noqa: PLR2004 - twenty-first
            out[-1] = Token("", Fraction(tens + ordinal), spoken=True)
        elif joined in {20, 30} and ordinal < 10:  # noqa: PLR2004
            out[-2:] = [Token("", Fraction(joined + ordinal), spoken=True)]
        else:
            out.append(Token("", Fraction(ordinal), spoken=True))
    return out


class _Parts:
    """What was said, sorted out: numbers in order, and the month's name if there was one."""

    def __init__(self, tokens: list[Token]) -> None:
        self.numbers: list[Token] = []
        self.month: int | None = None
        self.persian = False
        # In French, seven as well: the last one is the month, unless another month is named.
        other = any(t.number is None and (t.word in MONTHS or t.word in JALALI_MONTHS) for t in tokens)
        sept = -1 if other else max((at for at, t in enumerate(tokens) if t.word == "sept"), default=-1)
        for at, token in enumerate(tokens):
            word = token.word
            if token.whole is not None and at != sept:
                self.numbers.append(token)
            elif word in MONTHS or word in JALALI_MONTHS:
                if self.month is not None:
                    raise Refused("unreadable")
                self.persian = word in JALALI_MONTHS
                self.month = JALALI_MONTHS[word] if self.persian else MONTHS[word]
            elif word in _ORDINALS or word in AND:
                if at == 0 and len(tokens) == 1:
                    raise Refused("unreadable")
            elif word not in _FILLERS:
                raise Refused("unreadable")


def _shifted(day: date, years: int) -> date:
    try:
        return day.replace(year=day.year + years)
    except ValueError:  # 29 February
        return day.replace(year=day.year + years, day=28)


def _build(year: int, month: int, day: int, *, persian: bool) -> date:
    try:
        if persian or is_jalali_year(year):
            return gregorian(year, month, day)
        return date(year, month, day)
    except (ValueError, OverflowError):
        raise Refused("unreadable") from None


def _dated(token: Token, month: int, day: int, *, persian: bool, now: datetime) -> date:
    """Build the date, resolving a two-digit year to the latest one that is not after now."""
    year = token.whole or 0
    if year > 99:  # noqa: PLR2004 - a year in full
        if year < 1000:  # noqa: PLR2004
            raise Refused("unreadable")
        return _build(year, month, day, persian=persian)
    if len(token.word) != 2 and not token.spoken:  # noqa: PLR2004 - a single digit is no year
        raise Refused("unreadable")
    for century in (1400, 1300) if persian else (now.year // 100 * 100, now.year // 100 * 100 - 100):
        try:
            found = _build(century + year, month, day, persian=persian)
        except Refused:
            continue
        if found <= now.date():
            return found
    raise Refused("unreadable")


def _language(locale: str | None) -> tuple[str, str]:
    language, _, region = (locale or "").replace("_", "-").partition("-")
    return language.casefold(), region.rpartition("-")[2].upper()


def _numeric(numbers: list[Token], *, locale: str | None, now: datetime) -> date | Clarify:
    first, _, third = numbers
    language, region = _language(locale)
    a, b, c = (token.whole or 0 for token in numbers)
    if a > 31:  # noqa: PLR2004 - longer than any month: year first
        return _dated(first, b, c, persian=language == "fa" and a <= 99, now=now)  # noqa: PLR2004
    if b > 31:  # noqa: PLR2004 - nobody puts the year in the middle
        raise Refused("unreadable")
    if language == "fa" and c <= 31:  # noqa: PLR2004 - year first or last: not to be told
        return Clarify(question="full_date")
    persian = language == "fa" and c <= 99  # noqa: PLR2004
    if a > 12 or b > 12 or a == b:  # noqa: PLR2004 - months of a year
        day, month = (b, a) if b > 12 else (a, b)  # noqa: PLR2004
    elif not language or (language == "en" and not region):
        return Clarify(question="day_or_month")
    else:
        day, month = (b, a) if (language, region) == ("en", "US") else (a, b)
    return _dated(third, month, day, persian=persian, now=now)


def _compact(token: Token) -> list[Token]:
    """Take a run of six or eight digits apart: the year first when it reads as one, otherwise last."""
    digits = token.word
    if len(digits) == 8:  # noqa: PLR2004
        year_first = digits[:2] in {"18", "19", "20", "13", "14"} and digits[4:6] <= "12" and digits[6:] <= "31"
        cut = (4, 6) if year_first and int(digits[:4]) > 1300 else (2, 4)  # noqa: PLR2004
    else:
        cut = (2, 4)
    pieces = (digits[: cut[0]], digits[cut[0] : cut[1]], digits[cut[1] :])
    return [Token(piece, Fraction(int(piece))) for piece in pieces]


def _named(parts: _Parts, now: datetime) -> date:
    """Build the date of a day and a year around the name of a month."""
    first, second = parts.numbers
    month = parts.month or 0
    a, b = first.whole or 0, second.whole or 0
    day, year = (second, first) if a > 31 else (first, second)  # noqa: PLR2004
    if a > 31 and b > 31:  # noqa: PLR2004
        raise Refused("unreadable")
    return _dated(year, month, day.whole or 0, persian=parts.persian, now=now)


def _parsed(text: str, *, locale: str | None, now: datetime) -> date | Clarify:
    """Let dateutil try the rest: times, zones, unusual order. Nothing that it would invent is taken."""
    from dateutil import parser  # noqa: PLC0415 - heavy, on first use

    class Past(parser.parserinfo):
        """Two-digit years by `now`, not by the machine's clock."""

        def convertyear(self, year: int, century_specified: bool = False) -> int:  # noqa: FBT001, FBT002 - dateutil's own
            return year if century_specified or year > 99 else now.year - (now.year - year) % 100  # noqa: PLR2004

    past, found = Past(), list[date]()
    language, region = _language(locale)
    told = language and (language != "en" or region)
    orders = ((language, region) != ("en", "US"),) if told else (True, False)
    for dayfirst in orders:
        try:
            one, other = (parser.parse(text, past, default=each, dayfirst=dayfirst).date() for each in _UNSAID)
        except Exception:  # noqa: BLE001 - decimal's as well, which are no ValueErrors
            raise Refused("unreadable") from None
        if one != other:
            raise Refused("unreadable")
        found.append(one)
    if len(set(found)) > 1:
        return Clarify(question="day_or_month")
    day = found[0]
    return _shifted(day, -100) if day > now.date() and str(day.year) not in text else day


def read(said: str | date, *, locale: str | None, now: datetime) -> date | Clarify:
    """Read a date of birth.

    Args:
        said: What was said or typed, or the date itself.
        locale: A language tag. ``en-US`` says the month first, ``en`` alone does not tell, all others say the day
            first.
        now: When it is said; two-digit years lie before it.

    Returns:
        The date, or `Clarify` with ``day_or_month`` or ``full_date``.

    Raises:
        Refused: ``blank``, ``too_long``, ``unencodable`` or ``unreadable``.

    Example:
        >>> read("۲۵ فروردین ۱۳۶۴", locale="fa", now=datetime(2031, 6, 15))
        datetime.date(1985, 4, 14)
    """
    if isinstance(said, datetime):
        return said.date()
    if isinstance(said, date):
        return said
    fold(said)  # refuses what is too long, before or after
    iso = _ISO.match(said)
    tokens = _tokens(" ".join(iso.groups()) if iso else said)
    if not tokens:
        raise Refused("blank")
    try:
        parts = _Parts(tokens)
    except Refused:
        return _parsed(said, locale=locale, now=now)
    numbers = parts.numbers
    if parts.month is None and len(numbers) == 1 and len(numbers[0].word) in {6, 8} and not numbers[0].spoken:
        numbers = _compact(numbers[0])
    if parts.month is not None and len(numbers) == 2:  # noqa: PLR2004 - day and year
        return _named(parts, now)
    if parts.month is None and len(numbers) == 3:  # noqa: PLR2004 - day, month and year
        return _numeric(numbers, locale=locale, now=now)
    if parts.month is not None or numbers:
        return Clarify(question="full_date")
    raise Refused("unreadable")


def check_enrollable(day: date, *, now: datetime) -> None:
    """Refuse a date that nobody alive was born on, and no account of anybody's was opened on.

    Raises:
        Refused: ``future`` or ``too_old``.
    """
    if day > now.date():
        raise Refused("future")
    if day < _shifted(now.date(), -OLDEST):
        raise Refused("too_old")


def forms(day: date) -> Forms:
    """Return the canonical forms of a date: near is the same year with day and month swapped."""
    low, high = sorted((day.day, day.month))
    return Forms(coarse=f"{day.year:04d} {low:02d} {high:02d}", fine=day.isoformat(), near=True)
