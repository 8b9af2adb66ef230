"""A policy on one page, for the people who answer for it: ``html_report``.

One HTML file that holds everything it shows, loads nothing and runs nothing. Needs the extra ``report`` (matplotlib for
the charts, Jinja for the page).
"""

from __future__ import annotations

from importlib.resources import files

from kyc_verify.analysis.capabilities import Capabilities
from kyc_verify.analysis.report._facts import gather
from kyc_verify.errors import MissingExtraError
from kyc_verify.policy import Policy
from kyc_verify.threats import ThreatModel

__all__ = ["html_report"]


def html_report(policy: Policy, threats: ThreatModel | None = None, *, capabilities: Capabilities | None = None) -> str:
    """Return the report as one self-contained page of HTML.

    Of every action that asks for something: the verdict map, an example call, the rates of each class over all
    thresholds, the ways in by price, and the order of questions; then what lint found, and where the numbers come from.

    Args:
        policy: The policy.
        threats: How callers answer, if not as the policy's own model says; needed for plain points.
        capabilities: What attackers can do; None: the shipped table.

    Raises:
        MissingExtraError: the extra ``report`` is not installed.
        UsageError: the policy cannot be analysed; the message says what to do.
    """
    try:
        from jinja2 import Environment, StrictUndefined  # noqa: PLC0415 - an extra

        from kyc_verify.analysis.report import _charts as charts  # noqa: PLC0415 - needs matplotlib
    except ImportError as error:
        raise MissingExtraError("report", error.name or "matplotlib") from error
    facts = gather(policy, threats, capabilities)
    page = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    page.filters |= {"share": _share, "bits": _bits, "money": _money}
    template = page.from_string(files("kyc_verify").joinpath("data", "report.html").read_text(encoding="utf-8"))
    return template.render(facts=facts, policy=policy, charts=charts)


def _share(p: float) -> str:
    """Write a probability as people say it."""
    if p == 0:
        return "never"
    if p >= 0.01:  # noqa: PLR2004 - a hundredth is the least that is said in percent
        return f"{100 * p:.1f} %" if p < 1 else "100 %"
    return f"1 in {_number(1 / p)}"


def _bits(centibits: float) -> str:
    return f"{centibits / 100:.2f}"


def _money(amount: float) -> str:
    return "–" if amount == float("inf") else _number(amount)


def _number(value: float) -> str:
    """Two leading digits; large ones with a word."""
    for size, word in ((1e9, " billion"), (1e6, " million"), (1, "")):
        if value >= size:
            scaled = float(f"{value / size:.2g}")
            return f"{scaled:,.0f}{word}" if scaled >= 10 or not word else f"{scaled:g}{word}"  # noqa: PLR2004
    return f"{value:.2g}"
