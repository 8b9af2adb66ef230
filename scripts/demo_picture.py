"""Draw the picture of the README: what ``kyc-verify demo`` prints of two of its calls.

    python scripts/demo_picture.py              # writes docs/images/demo.svg
    python scripts/demo_picture.py --check      # exits with 1 when the picture is not what the demo prints

The lines are the demo's own; only the digits of the one-time code, new in every run, are dotted out.
"""

from __future__ import annotations

import re
import subprocess
import sys
import textwrap
from html import escape
from pathlib import Path

PICTURE = Path(__file__).resolve().parent.parent / "docs" / "images" / "demo.svg"
CALLS = ("1. ", "3. ")
WIDTH = 100  # characters
ADVANCE, LEADING, MARGIN = 8.0, 19, 24  # pixels, of a font of 13
STYLE = """
  text { font: 13px ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace; white-space: pre }
  .page { fill: #fbfbfa; stroke: #d8d8d4 } .plain { fill: #2b2b2b } .title { fill: #111; font-weight: 700 }
  .agent { fill: #1b5fa7 } .caller { fill: #2b2b2b } .telephone { fill: #7a4a00 } .quiet { fill: #6a6a66 }
  .verified { fill: #1a7036; font-weight: 700 } .denied { fill: #b3261e; font-weight: 700 }
  @media (prefers-color-scheme: dark) {
    .page { fill: #16181b; stroke: #33363b } .plain { fill: #d6d6d2 } .title { fill: #fff }
    .agent { fill: #7fb6f5 } .caller { fill: #d6d6d2 } .telephone { fill: #e0ab5c } .quiet { fill: #92958f }
    .verified { fill: #6cc987 } .denied { fill: #ff8a80 }
  }
"""
KINDS = (
    (re.compile(r"\d\. "), "title"),
    (re.compile(r" +agent:"), "agent"),
    (re.compile(r" +caller:"), "caller"),
    (re.compile(r" +\[customer's telephone\]"), "telephone"),
    (re.compile(r" +end: verified"), "verified"),
    (re.compile(r" +end: denied"), "denied"),
    (re.compile(r" +--"), "quiet"),
)


def printed() -> str:
    """Run the demo as somebody without a terminal does."""
    command = [sys.executable, "-m", "kyc_verify.cli", "demo", "--lang", "en"]
    return subprocess.run(command, check=True, capture_output=True, text=True, stdin=subprocess.DEVNULL).stdout


def lines(output: str) -> list[tuple[str, str]]:
    """Return class and text of each line of the chosen calls, folded to the width."""
    calls = [part for part in re.split(r"\n\n", output) if part.startswith(CALLS)]
    found: list[tuple[str, str]] = []
    for call in calls:
        for line in re.sub(r"Code: \d+", "Code: ••••••", call).splitlines():
            kind = next((name for pattern, name in KINDS if pattern.match(line)), "plain")
            indent = " " * (len(line) - len(line.lstrip()) + 4)
            folded = textwrap.wrap(
                line, WIDTH, subsequent_indent=indent, replace_whitespace=False, drop_whitespace=True
            )
            found += [(kind, part) for part in folded]
        found.append(("plain", ""))
    return found[:-1]


def drawn(rows: list[tuple[str, str]]) -> str:
    """Return the picture."""
    width, height = round(WIDTH * ADVANCE + 2 * MARGIN), len(rows) * LEADING + 2 * MARGIN
    texts = "\n".join(
        f'  <text class="{kind}" x="{MARGIN}" y="{MARGIN + (at + 1) * LEADING - 6}" xml:space="preserve">'
        f"{escape(text, quote=False)}</text>"
        for at, (kind, text) in enumerate(rows)
        if text
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'role="img" aria-label="Two calls of the demo: a customer is verified, a holder of leaked records is not">\n'
        f"  <style>{STYLE}  </style>\n"
        f'  <rect class="page" x="0.5" y="0.5" width="{width - 1}" height="{height - 1}" rx="8"/>\n{texts}\n</svg>\n'
    )


def main(arguments: list[str]) -> int:
    """Write the picture, or compare it; returns the exit code."""
    picture = drawn(lines(printed()))
    if arguments == ["--check"]:
        same = PICTURE.read_text(encoding="utf-8") == picture
        print("up to date" if same else "the demo prints something else now: run scripts/demo_picture.py")
        return 0 if same else 1
    PICTURE.parent.mkdir(exist_ok=True)
    PICTURE.write_text(picture, encoding="utf-8")
    print(f"{PICTURE.name}: {len(picture):,} bytes")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
