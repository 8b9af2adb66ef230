"""Configuration of the documentation; build it with ``sphinx-build -W -b html docs build/docs``."""

import sys
import tomllib
from pathlib import Path

_ROOT = Path(__file__).resolve().parent.parent
_PROJECT = tomllib.loads((_ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
if (_ROOT / "kyc_verify").is_dir():  # document the source beside this file before any installed copy
    sys.path.insert(0, str(_ROOT))

project = "kyc_verify"
author = "kyc_verify contributors"
project_copyright = f"2026, {author}"
release = version = _PROJECT["version"]

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
source_suffix = {".md": "markdown"}
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_default_options = {"members": True, "show-inheritance": True}
autodoc_typehints = "description"
napoleon_numpy_docstring = False
napoleon_use_ivar = True  # an attribute that is also a field of a dataclass is described once
napoleon_custom_sections = ["Security"]

html_theme = "furo"
html_title = f"kyc_verify {release}"
