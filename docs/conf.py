"""Sphinx settings. `make docs` builds with warnings as errors."""

from __future__ import annotations

import otel_flight

project = "otel-flight"
author = "The otel-flight authors"
copyright = f"2026, {author}"
release = version = otel_flight.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
]
exclude_patterns = ["_build"]

myst_enable_extensions = ["colon_fence", "deflist", "fieldlist"]
# So that `page.md#a-heading` can be linked.
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented_params"
autodoc_preserve_defaults = True

html_theme = "furo"
html_title = "otel-flight"
html_static_path = ["_static"]
html_css_files = ["pages.css"]
html_js_files = [("tables.js", {"defer": "defer"})]
