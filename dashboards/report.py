"""The comparison report: one HTML file that opens offline, on any screen, on paper, with or without JavaScript."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from importlib.resources import files
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from dashboards.bidi import has_right_to_left
from harness.errors import UsageError
from harness.judge.document import ComparisonDocument

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

_ESCAPE_SEQUENCE = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")
_CONTROL = re.compile(
    r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]"
)

INSTALL = "pip install 'inference-harness[report]'"


def require_report_packages() -> None:
    """Raise UsageError, with the command to install them, when packages that a report needs are not here.

    Meant to be called before measuring, so that a run does not fail at its end.
    """
    wanted = {"jinja2": "jinja2", "altair": "altair", "vl_convert": "vl-convert-python"}
    missing = [package for module, package in wanted.items() if find_spec(module) is None]
    if missing:
        raise UsageError(
            f"an HTML report needs {', '.join(missing)}, which {'is' if len(missing) == 1 else 'are'} not installed",
            f"Run: {INSTALL}",
        )


def render_report(document: ComparisonDocument) -> str:
    """The report of `document` as one HTML file, about 1 MB, that makes no request.

    Raises UsageError when the packages of the extra `report` are not installed.
    """
    require_report_packages()
    from dashboards.page import build_page

    return render_page("report.html", build_page(document))


def render_page(template: str, page: Any, *, own: str = "") -> str:
    """A template with its `page`, the style, the scripts and the policy put in: one HTML file.

    A page without charts names with `own` its `own`.css and `own`.js, which come after the common style and in place
    of the charts' scripts.
    """
    from dashboards import bundle

    style = _template_text("report.css") + (_template_text(f"{own}.css") if own else "")
    scripts: tuple[str, ...] = (bundle.vega_script(), _template_text("charts.js"))
    if own:
        scripts = (_template_text(f"{own}.js"),)
    return (
        _environment()
        .get_template(template)
        .render(
            page=page,
            style=style,
            scripts=scripts,
            policy=bundle.content_security_policy(scripts, (style,)),
            embedded_json=bundle.embedded_json,
        )
    )


def _template_text(name: str) -> str:
    return files("dashboards").joinpath("templates", name).read_text(encoding="utf-8")


@cache
def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    from dashboards import words

    environment = Environment(
        loader=PackageLoader("dashboards"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_printable,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["marks"] = words.MARKS
    environment.filters["breakable"] = _breakable
    environment.filters["isolating"] = _isolating
    return environment


def _breakable(text: str) -> Markup:
    """A name that may be broken after its separators, e.g. after the signs of `ort?intra_op_num_threads=1`."""
    from markupsafe import Markup, escape

    return Markup(re.sub(r"([_?@/:])(?=.)", r"\1<wbr>", str(escape(_printable(text)))))  # noqa: S704 - escaped, then only <wbr> added


def _isolating(text: str, names: Iterable[str]) -> Markup:
    """A sentence in which names that are written from right to left do not reorder the figures after them."""
    from markupsafe import Markup, escape

    sentence = str(escape(_printable(text)))
    for name in names:
        if has_right_to_left(name):
            escaped = str(escape(_printable(name)))
            sentence = sentence.replace(escaped, f"<bdi>{escaped}</bdi>")
    return Markup(sentence)  # noqa: S704 - escaped, then only <bdi> added


def _printable(value: Any) -> Any:
    """`value` without terminal colours, characters that HTML forbids, and signs that reorder what follows them."""
    if isinstance(value, str) and not hasattr(value, "__html__"):
        return _CONTROL.sub("\ufffd", _ESCAPE_SEQUENCE.sub("", value))
    return value
