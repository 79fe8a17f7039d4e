"""Fill the template of the page (reports/page/) and make the policy under which only its own scripts run.

Text made by models and datasets is untrusted: the template escapes everything but what is made as `Markup`, and the
page carries a policy that lets nothing be loaded.
"""

import base64
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from ripeness.figures.colours import VARIABLES, colour_style
from ripeness.figures.specification import IDENTITY
from ripeness.report.change_lines import effect_of, name_of
from ripeness.report.definitions import defined

SCRIPTS = ("charts.js", "marks.js", "tables.js", "panel.js", "page.js")  # in this order, one script of the page
STYLES = ("page.css", "tables.css", "panel.css", "print.css")


def data_uri(content: str, kind: str) -> str:
    """Write text as an address that holds it."""
    return f"data:{kind};base64,{base64.b64encode(content.encode()).decode()}"


def json_block(value: Any) -> Markup:
    """Write JSON such that it can stand in a script element: no `<`, so nothing can end the element."""
    return Markup(json.dumps(value, separators=(",", ":"), ensure_ascii=False).replace("<", "\\u003c"))


def script(source: str) -> tuple[Markup, str]:
    """Make an inline script and the source expression that permits exactly it in a security policy."""
    source = "\n" + source.replace("</script", "<\\/script") + "\n"
    return Markup(source), f"'sha256-{base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()}'"


def are_alike(value: Mapping[str, Any]) -> bool:
    """Say whether a mapping holds two or more mappings with the same keys, that is, a table."""
    keys = {tuple(part) if isinstance(part, Mapping) else None for part in value.values()}
    return len(value) > 1 and len(keys) == 1 and None not in keys


def place_of(row: Mapping[str, Any]) -> str:
    """Write the names in a row that say which models it is about, as JSON."""
    return json.dumps({name: row[name] for name in IDENTITY if row.get(name) is not None})


def page_script(folder: Path) -> str:
    """Join the scripts of the page into one; none of them leaves a name to the page."""
    sources = [(folder / name).read_text(encoding="utf-8") for name in SCRIPTS]
    return '"use strict";\n(() => {\n' + "\n".join(sources) + "})();"


def environment_of(folder: Path) -> jinja2.Environment:
    """Make what reads the templates in a folder."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["alike"] = are_alike
    environment.filters |= {"defined": defined, "effect": effect_of, "model": name_of}
    environment.globals["at"] = place_of
    return environment


def style_of(folder: Path) -> Markup:
    """Join the style sheets of the page."""
    return Markup("".join((folder / name).read_text(encoding="utf-8") for name in STYLES) + colour_style())


def render(folder: Path, context: Mapping[str, Any], *, bundle: str) -> str:
    """Fill the template in `folder`; `bundle` (the charts' library) and the scripts there are all that will run."""
    # The bundle's top-level names would clash with those of the page.
    (library, library_hash), (own, own_hash) = script(f"(function(){{{bundle}}})();"), script(page_script(folder))
    policy = (
        f"default-src 'none'; script-src {library_hash} {own_hash}; style-src 'unsafe-inline'; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )
    own_parts = {"library": library, "page_script": own, "policy": policy, "style": style_of(folder)}
    own_parts["chart_colours"] = json_block(VARIABLES)
    return environment_of(folder).get_template("page.html.j2").render(**context, **own_parts)


def render_verdicts(folder: Path, context: Mapping[str, Any]) -> str:
    """Fill the template of the answer and the verdicts alone, on which nothing runs."""
    # there are no figures to link to
    alone = dict(context) | {"figures": [], "values": "", "style": style_of(folder)}
    return environment_of(folder).get_template("verdicts.html.j2").render(**alone)
