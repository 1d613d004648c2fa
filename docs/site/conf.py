"""How Sphinx makes the pages that ``build.py`` laid out."""

from docutils.nodes import SkipNode
from latex2mathml.converter import convert
from pygments.lexers.special import TextLexer

import hitrs

project = "hitrs"
author = "The hitrs authors"
release = hitrs.__version__

root_doc = "index"
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 4  # the anchors that GitHub gives headings
default_role = "literal"
highlight_language = "none"

autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
napoleon_use_rtype = False
python_use_unqualified_type_names = True
toc_object_entries_show_parents = "hide"

html_theme = "furo"
html_title = f"hitrs {release}"
html_static_path = ["site.css"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sourcelink = False
html_show_copyright = False
html_math_renderer = "mathml"


def setup(app):
    """Formulas as MathML, which browsers draw themselves: Sphinx's own way loads a script from elsewhere."""
    app.add_html_math_renderer("mathml", (formula("inline"), None), (formula("block"), None))
    app.add_lexer("csv", TextLexer)
    app.connect("autodoc-process-docstring", whole, priority=400)
    app.connect("config-inited", lambda app, config: config.html_extra_path.append(str(app.srcdir / "extra")))
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def whole(app, what, name, thing, options, lines):
    """In the first line of an attribute napoleon takes "What it is: a number" for a type and a text."""
    if what in ("attribute", "property"):
        lines.insert(0, "")


def formula(display):
    def visit(self, node):
        made = convert(node.astext(), display=display)
        self.body.append(made if display == "inline" else f'<div class="formula">{made}</div>')
        raise SkipNode

    return visit
