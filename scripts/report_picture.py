"""Draw the picture of docs/report.md: the first part of the report, as a browser shows it.

Run it: ``python scripts/report_picture.py``. Needs the extra ``report`` and Chromium.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

from kyc_verify import profiles
from kyc_verify.analysis.report import html_report

PICTURE = Path(__file__).parents[1] / "docs" / "images" / "report.png"


def main() -> None:
    """Draw it."""
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        raise SystemExit("needs Chromium")  # noqa: TRY003 - a script
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "report.html"
        page.write_text(html_report(profiles.bank()), encoding="utf-8")
        subprocess.run(
            [
                browser, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--window-size=1000,1600",
                f"--user-data-dir={folder}/profile", f"--screenshot={PICTURE}", page.as_uri(),
            ],
            check=True,
        )  # fmt: skip


if __name__ == "__main__":
    main()
