"""Real people, spelled as archives spell them: a few hundred are enrolled, and called about by themselves and others.

Run it: ``python examples/real_people.py [PEOPLE]``. The file beside the tests holds records of historical persons, each
in several spellings. Birth date and birth place are enrolled from the first record of each; then somebody calls with
another record of the same person, and somebody with another person's.
"""

from __future__ import annotations

import csv
import secrets
import sys
import tempfile
from collections import Counter
from datetime import UTC, date, datetime
from pathlib import Path

from kyc_verify import (
    Call,
    Customer,
    Enroller,
    EnrollmentError,
    Keyring,
    Policy,
    Requirement,
    SecretHasher,
    Verdict,
    Verifier,
    checks,
)
from kyc_verify.stores import SQLiteStore

PEOPLE = Path(__file__).parent.parent / "tests" / "data" / "people_sample.csv"

policy = Policy(
    name="archive",
    checks=[
        checks.DateOfBirth(),
        checks.SecretAnswer("birth_place", {"en": "Where were you born?"}),
    ],
    # What everybody's papers say is worth a third of a bit against whoever holds the papers: the score is honest.
    actions={"read_file": Requirement(bits="0.3", accept="lossless")},
)

# These people were born long ago; the archive's clock stands where they could be customers.
ARCHIVE_TIME = datetime(1901, 1, 1, tzinfo=UTC)


class Archive:
    """Everybody is a customer."""

    def get(self, subject: str) -> Customer | None:
        return Customer(language="en-GB") if subject else None


def records(path: Path, wanted: int) -> dict[str, list[tuple[date, str]]]:
    """Return people by id, each with all full records of theirs that could be enrolled."""
    people: dict[str, list[tuple[date, str]]] = {}
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            try:
                born = date.fromisoformat(row["dob"])
            except ValueError:  # archives hold the 0th of January, too
                continue
            if row["birth_place"] and 0 < (ARCHIVE_TIME.date() - born).days < 127 * 365:
                people.setdefault(row["person"], []).append((born, row["birth_place"]))
    several = {person: rows for person, rows in people.items() if len(set(rows)) > 1}
    return dict(list((several | people).items())[:wanted])


def verify(verifier: Verifier, subject: str, said: tuple[date, str], number: int) -> Verdict:
    call = Call(id=f"call-{number}", agent="archivist")
    step = verifier.open(subject, action="read_file", call=call)
    answers = {"date_of_birth": said[0].isoformat(), "birth_place": said[1]}
    while step.challenge:
        step = verifier.respond(step.challenge.id, answers[step.challenge.check], call=call)
    return step.verdict


def main(wanted: int = 200, hasher: SecretHasher | None = None) -> int:
    """Enroll and verify; 0 when hardly anybody gets through as somebody else."""
    hasher = hasher or SecretHasher(Keyring({"demo": secrets.token_bytes(32)}), profile="owasp")
    people = records(PEOPLE, wanted)
    own: Counter[Verdict] = Counter()
    others: Counter[Verdict] = Counter()
    reasons: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder, SQLiteStore(Path(folder) / "kyc.db") as store:
        enroller = Enroller(policy, store=store, hasher=hasher, clock=lambda: ARCHIVE_TIME)
        verifier = Verifier(policy, store=store, hasher=hasher, customers=Archive(), clock=lambda: ARCHIVE_TIME)
        enrolled: list[str] = []
        for person, rows in people.items():
            try:
                enroller.enroll(person, {"date_of_birth": rows[0][0], "birth_place": rows[0][1]}, by="import")
                enrolled.append(person)
            except EnrollmentError as refused:
                reasons.update(refused.faults.values())
        for number, person in enumerate(enrolled):
            own[verify(verifier, person, people[person][-1], number)] += 1
            enroller.clear_runs(person, by="archivist", reason="the next caller is another story")
            somebody = people[enrolled[number - 1]][0]
            others[verify(verifier, person, somebody, len(enrolled) + number)] += 1
    print(f"{len(enrolled)} people enrolled; refused: {dict(reasons)}")
    for who, ends in (("with another record of their own", own), ("with somebody else's record", others)):
        print(f"{who}: {', '.join(f'{verdict.value} {number}' for verdict, number in sorted(ends.items()))}")
    return 0 if enrolled and others[Verdict.VERIFIED] <= len(enrolled) // 100 else 1


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 200))
