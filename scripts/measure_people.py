"""Measure on records of people what the forms of answers forgive, and what that gives away to a guesser.

Run it with ``python scripts/measure_people.py PATH``, where PATH is a CSV with the columns ``person``, ``full_name``,
``dob`` and ``birth_place``, several rows a person; a test compares docs/answers.md with it. The first row of a person
that has a value is what was enrolled, the other rows are what the person says at another time, and what the others
have enrolled is what strangers say. Blank values are skipped; what cannot be read as an answer of its kind is a FAIL.
"""

from __future__ import annotations

import csv
import math
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from kyc_verify.answers import Clarify, Forms, Refused, dates, text
from kyc_verify.terms import Outcome

LADDER: Final = (Outcome.PASS, Outcome.NEAR, Outcome.FAIL)
_NOW: Final = datetime(2026, 1, 1, tzinfo=UTC)
Read = Callable[[str], Forms]


def _as_typed(said: str) -> Forms:
    """Return the text itself: what a hash of the answer would compare."""
    return Forms(coarse=said, fine=said)


def _exact(said: str) -> Forms:
    return text.forms(said, tolerance="exact")


def _typo(said: str) -> Forms:
    return text.forms(said, tolerance="typo")


def _date(said: str) -> Forms:
    day = dates.read(said, locale=None, now=_NOW)
    if isinstance(day, Clarify):
        raise Refused("unreadable")
    return dates.forms(day)


_TEXT: Final[Mapping[str, Read]] = {"as typed": _as_typed, "exact": _exact, "default": text.forms, "typo": _typo}
FIELDS: Final[Mapping[str, tuple[str, Mapping[str, Read]]]] = {
    "name": ("full_name", _TEXT),
    "birth place": ("birth_place", _TEXT),
    "birth date": ("dob", {"as typed": _as_typed, "default": _date}),
}
SLIPS: Final = ("letter missing or added", "vowel for a vowel", "consonant for a consonant", "any other", "all of them")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rungs:
    """The forms of one answer in clear; whoever shares one of `near` is near."""

    fine: str
    near: frozenset[str]


def rungs(said: str, read: Read) -> Rungs | None:
    """Return the rungs of an answer; None when it is refused."""
    try:
        forms = read(said)
    except Refused:
        return None
    coarse = {f"coarse {forms.coarse.reveal()}"} if forms.near else set()
    return Rungs(fine=forms.fine.reveal(), near=frozenset(coarse | {f"typo {form.reveal()}" for form in forms.typo}))


def grade(said: Rungs | None, true: Rungs) -> Outcome:
    """Grade an answer as its hashes would be graded."""
    if said is None:
        return Outcome.FAIL
    return Outcome.PASS if said.fine == true.fine else Outcome.NEAR if said.near & true.near else Outcome.FAIL


def answers(rows: Iterable[Mapping[str, str]], column: str) -> dict[str, list[str]]:
    """Return what each person says, the enrolled answer first; what has no letter and no digit is blank."""
    said: dict[str, list[str]] = defaultdict(list)
    for row in rows:
        if any(map(str.isalnum, row[column])):
            said[row["person"]].append(row[column].strip())
    return said


def slip(one: str, other: str) -> str | None:
    """Return what kind of slip makes one text of the other; None when it takes more than one letter."""
    short, long = sorted((one, other), key=len)
    at = next((at for at, (a, b) in enumerate(zip(short, long, strict=False)) if a != b), len(short))
    if len(short) < len(long):
        return SLIPS[0] if short[at:] == long[at + 1 :] else None
    if at == len(short):
        return None
    if short[at : at + 2] == long[at : at + 2][::-1] and short[at + 2 :] == long[at + 2 :]:
        return SLIPS[3]
    if short[at + 1 :] != long[at + 1 :]:
        return None
    vowels = sum(letter in "aeiouy" for letter in (short[at], long[at]))
    letters = short[at].isalpha() and long[at].isalpha()
    return SLIPS[1] if vowels == 2 else SLIPS[2] if letters and not vowels else SLIPS[3]  # noqa: PLR2004


def _sharing(true: Sequence[Rungs]) -> dict[str, set[int]]:
    sharing: dict[str, set[int]] = defaultdict(set)
    for at, one in enumerate(true):
        for rung in one.near | {f"fine {one.fine}"}:
            sharing[rung].add(at)
    return sharing


def _reached(one: Rungs, sharing: Mapping[str, set[int]]) -> set[int]:
    return set().union(*(sharing[rung] for rung in one.near | {f"fine {one.fine}"}))


def strangers(true: Sequence[Rungs]) -> tuple[float, float]:
    """Return the share of other people who have enrolled the same, and of those who are near."""
    sharing = _sharing(true)
    same = sum(len(sharing[f"fine {one.fine}"]) - 1 for one in true)
    better = sum(len(_reached(one, sharing)) - 1 for one in true)
    pairs = len(true) * (len(true) - 1)
    return same / pairs, (better - same) / pairs


def bits(true: Sequence[Rungs]) -> tuple[float, float]:
    """Return the bits against the best single guess, at PASS, and what is given away of them when NEAR will do."""
    sharing = _sharing(true)
    fine = max(len(sharing[f"fine {one.fine}"]) for one in true)
    near = max(len(_reached(one, sharing)) for one in true)
    return math.log2(len(true) / fine), math.log2(near / fine)


def _share(outcomes: Sequence[Outcome]) -> Iterator[str]:
    counts = Counter(outcomes)
    return (f"{counts[outcome] / len(outcomes):.1%}" if outcomes else "" for outcome in LADDER)


def _row(*cells: object) -> str:
    return f"| {' | '.join(map(str, cells))} |"


def _heads(*names: str) -> list[str]:
    return ["", _row(*names), _row("---", *["---:"] * (len(names) - 1))]


def report(rows: Sequence[Mapping[str, str]]) -> Iterator[str]:
    """Yield the lines of the report, as Markdown."""
    genuine = _heads("own answers, other rows", "answers", "PASS", "NEAR", "FAIL", "PASS if typed otherwise", "NEAR")
    others = _heads("answers of others", "people", "PASS", "NEAR", "bits at PASS", "given away by NEAR")
    for field, (column, treatments) in FIELDS.items():
        said = answers(rows, column)
        for treatment, read in treatments.items():
            enrolled = {
                person: rung for person, (first, *_) in said.items() if (rung := rungs(first, read)) is not None
            }
            graded = [
                (said[p][0] == a, grade(rungs(a, read), true)) for p, true in enrolled.items() for a in said[p][1:]
            ]
            otherwise = list(_share([outcome for same, outcome in graded if not same]))
            name = f"{field}, {treatment}"
            genuine.append(_row(name, len(graded), *_share([outcome for _, outcome in graded]), *otherwise[:2]))
            true = list(enrolled.values())
            best, given = bits(true)
            passed, near = strangers(true)
            others.append(_row(name, len(true), f"{passed:.4%}", f"{near:.4%}", f"{best:.2f}", f"{given:.3f}"))
    yield f"{len(rows):,} rows of {len({row['person'] for row in rows}):,} people"
    yield from genuine
    yield from others
    yield from slips(answers(rows, "full_name"))


def slips(said: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """Yield the table of names that are one letter off."""
    found: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for first, *rest in said.values():
        for other in rest:
            kind = slip(first, other)
            if kind is not None:
                found[kind].append((first, other))
                found[SLIPS[4]].append((first, other))
    yield from _heads("names, one letter off", "answers", "NEAR or better, default", "typo")
    for kind in SLIPS:
        caught = []
        for treatment in ("default", "typo"):
            read = _TEXT[treatment]
            graded = [grade(rungs(b, read), true) for a, b in found[kind] if (true := rungs(a, read)) is not None]
            caught.append(f"{sum(o is not Outcome.FAIL for o in graded) / max(1, len(graded)):.1%}")
        yield _row(kind, len(found[kind]), *caught)


def main(path: str) -> None:
    """Print the report of a file."""
    with Path(path).open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    print("\n".join(report(rows)))


if __name__ == "__main__":
    main(*sys.argv[1:])
