"""The report's charts, as SVG whose colours are the page's, so that they follow light, dark and print."""

from __future__ import annotations

import io
import re
from itertools import cycle
from typing import TYPE_CHECKING, Any, Final

import matplotlib as mpl
from markupsafe import Markup
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from kyc_verify.analysis.report._facts import ActionFacts
from kyc_verify.decision import Verdict

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["curve", "example", "seconds", "ways"]

_INK: Final = "#010203"
_FAINT: Final = "#040506"
_HUES: Final = ("#0000f1", "#0000f2", "#0000f3", "#0000f4", "#0000f5", "#0000f6", "#0000f7")
"""Stand for the page's colours ``--c1`` ... while matplotlib draws."""
_STYLES: Final = ("-", "--", "-.", ":", (0, (5, 1)), (0, (3, 1, 1, 1)), (0, (1, 1)))
"""A line is told from another without its colour as well."""
_PAGE: Final = {_INK: "currentColor", _FAINT: "var(--faint)"} | {hue: f"var(--c{n})" for n, hue in enumerate(_HUES, 1)}
_LEAST: Final = 1e-9
"""What is rarer is drawn at the edge."""
_SETTINGS: Final[dict[Any, Any]] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "kyc_verify",
    "font.family": "sans-serif",
    "font.size": 9,
    "text.color": _INK,
    "axes.edgecolor": _FAINT,
    "axes.labelcolor": _INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": _INK,
    "ytick.color": _INK,
    "legend.frameon": False,
    "grid.color": _FAINT,
}


def _drawing(title: str, size: tuple[float, float], rows: int = 1) -> tuple[Figure, list[Axes], str]:
    figure = Figure(figsize=size, layout="constrained")
    FigureCanvasSVG(figure)
    figure.patch.set_alpha(0)
    heights = [1, 2][:rows] if rows > 1 else [1]
    axes = list(figure.subplots(rows, 1, squeeze=False, sharex=True, height_ratios=heights)[:, 0])
    for each in axes:
        each.patch.set_alpha(0)
    return figure, axes, title


def _svg(figure: Figure, title: str) -> Markup:
    out = io.StringIO()
    figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
    text = out.getvalue()
    text = text[text.index("<svg") :]
    for drawn, shown in _PAGE.items():
        text = text.replace(drawn, shown)
    # Two charts of one page would have the same names; those that are referred to are unique by their content.
    text = re.sub(r' id="[a-zA-Z]+[A-Za-z]*_\d+(?:_\d+)*"', "", text)
    label = Markup('role="img" aria-label="{}"').format(title)
    return Markup(text.replace("<svg ", f"<svg {label} ", 1))  # noqa: S704 - matplotlib escapes what it writes


def curve(action: ActionFacts) -> Markup:
    """Draw P(verified) of everybody over the threshold: the genuine above, attackers below."""
    with mpl.rc_context(_SETTINGS):
        title = f"{action.name}: who is verified, over the bits demanded"
        figure, (upper, lower), title = _drawing(title, (7.2, 4.6), rows=2)
        bits = [each.required / 100 for each in action.curve]
        genuine = [100 * each.genuine[Verdict.VERIFIED] for each in action.curve]
        upper.plot(bits, genuine, color=_INK, label="genuine")
        upper.set_ylim(0, 105)
        upper.set_ylabel("genuine, %")
        for hue, style, name in zip(cycle(_HUES), cycle(_STYLES), action.curve[0].attackers):
            rates = [max(each.attackers[name], _LEAST) for each in action.curve]
            lower.plot(bits, rates, color=hue, ls=style, label=name)
        if (bounds := [each.bound for each in action.curve if each.bound is not None]) and len(bounds) == len(bits):
            lower.plot(bits, bounds, color=_FAINT, lw=3, alpha=0.6, label="bound", zorder=0)
        lower.set_yscale("log")
        lower.set_ylim(_LEAST, 1.5)
        lower.set_ylabel("P(verified)")
        lower.set_xlabel("bits demanded")
        for each in (upper, lower):
            each.axvline(action.rates.runs[0].required / 100, color=_INK, lw=0.8)
            each.grid(lw=0.4)
        lower.legend(loc="center left", bbox_to_anchor=(1, 0.5))
        return _svg(figure, title)


def example(action: ActionFacts) -> Markup:
    """Draw what each check adds against the best-placed class, in a call that goes well."""
    with mpl.rc_context(_SETTINGS):
        weakest = action.example.score.weakest
        title = f"{action.name}: a call that goes well, against {weakest}"
        rows = action.example.waterfall
        figure, (axes,), title = _drawing(title, (7.2, 0.9 + 0.34 * max(len(rows), 1)))
        at = 0.0
        for place, row in enumerate(rows):
            added = row.weights[weakest] / 100
            axes.barh(place, added, left=at, color=_HUES[2] if added >= 0 else _HUES[5], height=0.6)
            at += added
            axes.text(max(at, at - added), place, f" {added:+.2f}", va="center")
        axes.axvline(action.example.required / 100, color=_INK, lw=1)
        axes.set_yticks(range(len(rows)), [f"{row.check}: {row.outcome.value}" for row in rows])
        axes.invert_yaxis()
        axes.margins(x=0.12)
        axes.set_xlabel(f"bits against {weakest}; the line is what is demanded")
        return _svg(figure, title)


def ways(action: ActionFacts, most: int = 12) -> Markup:
    """Draw how often the cheapest ways in succeed."""
    with mpl.rc_context(_SETTINGS):
        shown = [way for way in action.paths.ways if way.probability > 0][:most]
        title = f"{action.name}: ways in, the cheapest success first"
        figure, (axes,), title = _drawing(title, (7.2, 0.9 + 0.3 * max(len(shown), 1)))
        axes.barh(range(len(shown)), [max(way.probability, _LEAST) for way in shown], color=_HUES[4], height=0.6)
        axes.set_xscale("log")
        axes.set_xlim(right=1)
        axes.set_yticks(range(len(shown)), [" + ".join(way.capabilities) or "nothing" for way in shown])
        axes.invert_yaxis()
        axes.grid(axis="x", lw=0.4)
        axes.set_xlabel("P(verified)")
        return _svg(figure, title)


def seconds(action: ActionFacts) -> Markup:
    """Draw what the questions take of a genuine call."""
    order = action.order
    if order is None:
        return Markup("")
    with mpl.rc_context(_SETTINGS):
        bars = [("everything", order.everything), ("as the policy says", order.given.seconds)]
        bars += [("the best fixed order", order.best[0].seconds)]
        bars += [] if order.adaptive is None else [("if the order followed the answers (never used)", order.adaptive)]
        title = f"{action.name}: seconds of a genuine call"
        figure, (axes,), title = _drawing(title, (7.2, 1.9))
        drawn = axes.barh(range(len(bars)), [value for _, value in bars], color=_HUES[0], height=0.6)
        axes.bar_label(drawn, [f" {value:.0f}" for _, value in bars])
        axes.set_yticks(range(len(bars)), [name for name, _ in bars])
        axes.invert_yaxis()
        axes.margins(x=0.1)
        axes.set_xlabel("seconds, on average")
        return _svg(figure, title)
