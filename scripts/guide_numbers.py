"""Print what evidence is worth by the shipped table, as docs/threat-model.md quotes it.

Run it with ``python scripts/guide_numbers.py``; a test compares the page with it, so no number there is typed.
"""

from __future__ import annotations

from collections.abc import Iterator

from kyc_verify.score import ScoreTable
from kyc_verify.terms import Outcome
from kyc_verify.threats import GENUINE, ThreatModel

# By the names of rows. `sms` stands for the code's row, which depends on the wording of the message.
COMBINATIONS = (
    ("tenure, SMS code", ("account_tenure", "sms")),
    ("tenure, SMS code, clear SIM swap", ("account_tenure", "sms", "sim_swap")),
    ("tenure, SMS code, clear SIM swap, attested number", ("account_tenure", "sms", "sim_swap", "caller_number")),
    ("PIN, tenure, SMS code, clear SIM swap", ("pin", "account_tenure", "sms", "sim_swap")),
    ("PIN, app confirmation, attested number", ("pin", "app_confirmation", "caller_number")),
    (
        "birth date, postcode, tenure, last transaction",
        ("date_of_birth", "postcode", "account_tenure", "last_transaction"),
    ),
)
LEAKED = ("date_of_birth", "postcode", "ssn_last4")
GUIDE_SMS, SHIPPED_SMS = "one_time_code.sms.elsewhere", "one_time_code.sms.warning"
# Genuine callers, given that they answer; the other cells of the guide are the shipped ones.
GIVEN_COMPLETION = {
    "account_tenure": "0.75",
    "date_of_birth": "0.98",
    "postcode": "0.97",
    "last_transaction": "0.7",
    "sim_swap": "0.993",
}


def guide_model(model: ThreatModel) -> ThreatModel:
    """Return the table as the guide assumes it: given completion, no near, a phisher who gets one code in four."""
    cells = {}
    for name in {row for _, rows in COMBINATIONS for row in rows} - {"sms"} | {GUIDE_SMS}:
        likelihoods = model.rows[name].likelihoods
        columns = {
            column: {Outcome.PASS: likelihoods.column(column)[Outcome.PASS]} for column in (GENUINE, *model.names)
        }
        if name in GIVEN_COMPLETION:
            columns[GENUINE] = {Outcome.PASS: GIVEN_COMPLETION[name]}
        cells[name] = columns
    return model.with_cells(cells)


def worth(model: ThreatModel, rows: tuple[str, ...]) -> tuple[str, str]:
    """Return the bits of passing all these rows, and the class they are weakest against."""
    score = ScoreTable(model, [(row, row) for row in rows]).score(dict.fromkeys(rows, Outcome.PASS))
    return f"{score.centibits / 100:.1f}", score.weakest


def combinations(model: ThreatModel) -> Iterator[str]:
    """Yield the lines of the table of combinations."""
    guide = guide_model(model)
    yield "| passed | guide, bits | weakest against | shipped table, bits | weakest against |"
    yield "|---|---|---|---|---|"
    for label, rows in COMBINATIONS:
        by_guide = worth(guide, tuple(GUIDE_SMS if row == "sms" else row for row in rows))
        shipped = worth(model, tuple(SHIPPED_SMS if row == "sms" else row for row in rows))
        yield f"| {label} | {' | '.join((*by_guide, *shipped))} |"


def weights(model: ThreatModel) -> Iterator[str]:
    """Yield the lines of the table of weights: pass / near / fail in bits, guessed cells marked."""
    guesses = set(model.guesses())
    yield f"| row | {' | '.join(model.names)} |"
    yield "|---" * (len(model.names) + 1) + "|"
    for name, row in model.rows.items():
        told = (Outcome.PASS, Outcome.NEAR, Outcome.FAIL)
        if Outcome.NEAR not in row.likelihoods.genuine:
            told = (Outcome.PASS, Outcome.FAIL)
        cells = [
            " / ".join(f"{row.weights[column][outcome] / 100:.1f}" for outcome in told)
            + ("\\*" if (name, column) in guesses else "")
            for column in model.names
        ]
        yield f"| `{name}` | {' | '.join(cells)} |".replace("-0.0", "0.0")


def leaked(model: ThreatModel) -> Iterator[str]:
    """Yield what three facts of one leaked file are worth, in points and in bits."""
    points = ThreatModel.points(dict.fromkeys(LEAKED, 1))
    three, _ = worth(points, LEAKED)
    bits, weakest = worth(model, LEAKED)
    holder = dict(zip(model.names, ScoreTable(model, [(r, r) for r in LEAKED]).best_case(LEAKED), strict=True))
    yield "| birth date, postcode and identity number, all right | worth |"
    yield "|---|---|"
    yield f"| plain points, one each | {float(three):.0f} points |"
    yield f"| against a stranger | {holder['stranger'] / 100:.1f} bits |"
    yield f"| against the holder of the file | {holder['breach_data_holder'] / 100:.1f} bits |"
    yield f"| the score: against the best placed, {weakest} | {bits} bits |"


def report() -> str:
    """Return everything, one block after the other."""
    model = ThreatModel.default()
    known = sum(origin.tag != "guess" for row in model.rows.values() for origin in row.origins.values())
    count = f"{len(model.rows)} rows, {known + len(model.guesses())} cells, {len(model.guesses())} of them guesses."
    return "\n\n".join([count, *("\n".join(block(model)) for block in (combinations, leaked, weights))])


if __name__ == "__main__":
    print(report())
