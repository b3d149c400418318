"""How Sphinx makes the site of this documentation: ``make docs``."""

from __future__ import annotations

import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from sphinx.application import Sphinx

from napari_cryodrgn import __version__

project = "napari-cryodrgn"
copyright = "the napari-cryodrgn developers"
release = version = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx_copybutton"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["_build"]
# A word in a docstring may be a parameter here and an attribute of several classes elsewhere.
suppress_warnings = ["ref.python"]

html_theme = "furo"
html_title = "napari-cryodrgn"

# Headings can be linked to as on GitHub: page.md#a-heading.
myst_heading_anchors = 4
# A prompt is no part of a command that is copied.
copybutton_prompt_text = r"\$ "
copybutton_prompt_is_regexp = True
copybutton_line_continuation_character = "\\"

autodoc_member_order = "bysource"
autodoc_typehints = "none"
autodoc_default_options = {"members": True, "exclude-members": "model_config"}
napoleon_google_docstring = False
napoleon_use_rtype = False


def name_pages_by_title(app: Sphinx, page: str, source: list[str]) -> None:
    """Show ``[page.md](page.md)``, which is how pages name each other on GitHub, by its title."""
    source[0] = re.sub(r"\[(\w+\.md)\]\((\1[^)]*)\)", r"[](\2)", source[0])


def setup(app: Sphinx) -> None:
    """What Sphinx calls."""
    app.connect("source-read", name_pages_by_title)
