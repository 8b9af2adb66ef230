"""``kyc-verify demo``: a bank's telephone, played by you in a terminal, or by five scripted callers without one."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Final

from kyc_verify.call import Call
from kyc_verify.cli._load import Misuse
from kyc_verify.cli._world import Person, World, helped, say
from kyc_verify.decision import Challenge, Step, Verdict
from kyc_verify.errors import UsageError
from kyc_verify.terms import LANGUAGES, Outcome

if TYPE_CHECKING:
    _Commands = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001 - argparse names no other type

__all__ = ["add"]

_YES: Final = frozenset(("y", "yes", "oui", "o", "si", "sí", "s", "بله"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """One scripted call.

    Attributes:
        name: Of the scene, and of its text.
        customer: Whom the caller claims to be.
        action: What they want.
        said: What they say to each check; the code is read out if `reads_code`, and None is "I can't recall".
        own_number: Whether they call from the customer's number.
        attested: Whether the network vouches for that.
        swapped: Whether they hold the customer's SIM.
        reads_code: Whether they get the code.
        taps: What the customer does in the app.
        ends: How it must end.
        language: What is spoken, if not what was asked for.
    """

    name: str
    customer: str
    action: str
    said: Mapping[str, str | None]
    own_number: bool = False
    attested: bool = False
    swapped: bool = False
    reads_code: bool = False
    taps: Outcome = Outcome.FAIL
    ends: Verdict = Verdict.DENIED
    language: str | None = None


def _scenes(people: Mapping[str, Person]) -> tuple[Scene, ...]:
    def opened(who: str) -> str:
        return f"{people[who].opened:%Y-%m}"

    return (
        Scene(
            name="genuine",
            customer="cust-3",
            action="read_balance",
            said={"pin": people["cust-3"].pin, "account_tenure": opened("cust-3")},
            own_number=True,
            reads_code=True,
            taps=Outcome.PASS,
            ends=Verdict.VERIFIED,
        ),
        Scene(
            name="forgetful",
            customer="cust-1",
            action="read_balance",
            said={"pin": None, "account_tenure": f"depuis janvier {people['cust-1'].opened.year}"},
            own_number=True,
            reads_code=True,
            taps=Outcome.PASS,
            ends=Verdict.VERIFIED,
            language="fr",
        ),
        Scene(
            name="breach",
            customer="cust-5",
            action="read_balance",
            said={"pin": "1985", "account_tenure": opened("cust-5")},
        ),
        Scene(
            name="swapper",
            customer="cust-8",
            action="change_phone",
            said={"pin": "1234", "account_tenure": None},
            own_number=True,
            attested=True,
            swapped=True,
            reads_code=True,
        ),
        Scene(
            name="phisher",
            customer="cust-10",
            action="change_phone",
            said={"pin": "0000", "account_tenure": opened("cust-10")},
            reads_code=True,
        ),
    )


def add(commands: _Commands) -> None:
    """Add the command."""
    parser = commands.add_parser("demo", help="see it work: no set-up, nothing is kept", description=__doc__)
    parser.add_argument("--lang", choices=LANGUAGES, default="en", help="what is spoken")
    parser.add_argument("--scripted", action="store_true", help="play the five calls, in a terminal too")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Play; 0 only when everything ended as it must."""
    by_hand = sys.stdin.isatty() and sys.stdout.isatty() and not options.scripted
    try:
        place = tempfile.TemporaryDirectory(prefix="kyc-verify-demo-")
    except OSError as fault:
        msg = f"the demo needs a folder for its temporary database; set TMPDIR to one: {fault.strerror}"
        raise Misuse(msg) from None
    with place as folder:
        return _by_hand(folder, options.lang) if by_hand else _scripted(folder, options.lang)


def _out(line: str = "") -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _now() -> datetime:
    from kyc_verify.verifier import utc_now  # noqa: PLC0415 - the one clock of the fronts

    return utc_now()


def _view(world: World, step: Step, lang: str) -> None:
    """Print the auditor's view of a run that has ended."""
    decision = world.explain(step.session_id)
    _out(f"  -- {say('why', lang)}")
    for line in decision.table().splitlines():
        _out(f"     {line}")
    best = helped(world.policy, decision)
    advice = say("nothing", lang) if best is None else f"{say('helped', lang)}: {best[0]} (+{best[1]:.2f} bits)"
    _out(f"     {advice}")


# ── Scripted ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(slots=True)
class _Show:
    """Prints what arrives on the customer's telephone."""

    lang: str = field(default="en")

    def __call__(self, text: str) -> None:
        _out(f"    [{say('telephone', self.lang)}] {text}")


def _scripted(folder: str, lang: str) -> int:
    show = _Show(lang)
    world = World(folder, show=show, language=lang, now=_now())
    _out(say("title", lang))
    right = True
    with world.store:
        for number, scene in enumerate(_scenes(world.people), 1):
            _out(f"\n{number}. {say(f'call.{scene.name}', lang)}")
            world.language = scene.language or lang
            step = _play(world, scene, number, lang)
            _out(f"  {say('end', lang)}: {step.verdict.value}. {step.reasons[0]}")
            _view(world, step, lang)
            right = right and step.verdict is scene.ends
        report = world.chain()
    right = right and report.intact and report.complete
    _out(f"\n{say('chain', lang, records=str(report.records))}")
    _out(say("as_must" if right else "not_as_must", lang))
    return 0 if right else 1


def _play(world: World, scene: Scene, number: int, lang: str) -> Step:
    person = world.people[scene.customer]
    world.tap = lambda: scene.taps
    if scene.swapped:
        world.swapped.add(person.number)
    presented = person.number if scene.own_number else "+33199005555"
    call = Call(id=f"call-{number}", agent="agent-7", number=presented, attestation="A" if scene.attested else None)
    step = world.verifier.open(person.id, action=scene.action, call=call)
    while (challenge := step.challenge) is not None:
        said = _said(world, scene, challenge)
        _out(f"    {say('agent', lang)}: {challenge.text}")
        _out(f"    {say('caller', lang)}: {said or say('recall', lang)}")
        if said is None:
            step = world.verifier.decline(challenge.id, call=call)
        else:
            step = world.verifier.respond(challenge.id, said, call=call)
    return step


def _said(world: World, scene: Scene, challenge: Challenge) -> str | None:
    if challenge.check == "one_time_code":
        return world.code() if scene.reads_code else None
    return "ok" if challenge.check == "app_confirmation" else scene.said[challenge.check]


# ── By hand ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _by_hand(folder: str, lang: str, read: Callable[[str], str] = input) -> int:
    show = _Show(lang)
    world = World(folder, show=show, language=lang, now=_now())
    person = next(each for each in world.people.values() if each.language == lang)
    call = Call(id="call-1", agent="agent-7", number=person.number, attestation="A")

    def tap() -> Outcome | None:
        said = read(f"    [{say('telephone', lang)}] {say('play.tap', lang)}: ").strip().casefold()
        return Outcome.PASS if said in _YES else Outcome.FAIL

    world.tap = tap
    card = {"name": person.name, "opened": f"{person.opened:%Y-%m-%d}", "pin": person.pin, "number": person.number}
    _out(say("play.hello", lang))
    _out(f"  {say('play.card', lang, **card)}")
    _out(say("play.how", lang))
    with world.store:
        step = world.verifier.open(person.id, action="change_phone", call=call)
        while step.challenge:
            _out(f"\n[{say('screen', lang)}] {step.reasons[0]}")
            try:
                step = _answered(world, step, step.challenge, read, call)
            except UsageError as fault:
                _out(str(fault))
            except EOFError:
                step = world.verifier.cancel(step.session_id, call=call)
        _out(f"\n[{say('screen', lang)}] {step.verdict.value}: {step.reasons[0]}")
        _view(world, step, lang)
        report = world.chain()
    _out(f"\n{say('chain', lang, records=str(report.records))}")
    return 0 if report.intact and report.complete else 1


def _answered(world: World, step: Step, challenge: Challenge, read: Callable[[str], str], call: Call) -> Step:
    verifier = world.verifier
    if challenge.check == "app_confirmation":
        _out(challenge.text)
        return verifier.respond(challenge.id, "ok", call=call)
    said = read(f"{challenge.text} > ").strip()
    if said == "quit":
        return verifier.cancel(step.session_id, call=call)
    if said == "resend":
        return verifier.resend(challenge.id, call=call)
    return verifier.decline(challenge.id, call=call) if said == "?" else verifier.respond(challenge.id, said, call=call)
