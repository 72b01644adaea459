"""The scripts of a page: the Vega libraries in one piece, data that cannot break out of its element, and the policy.

The page may run exactly the scripts that were put there: the Content-Security-Policy names them by their hash and
forbids everything else, network included. Vega runs its expressions in the interpreter of Vega-Embed (`ast`),
because the compiler would need 'unsafe-eval'.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from functools import cache
from typing import Any

_SNIPPET = "window.vegaEmbed = vegaEmbed;"
_UNSAFE_IN_SCRIPT = {
    ord("<"): "\\u003c",
    ord(">"): "\\u003e",
    ord("&"): "\\u0026",
    0x2028: "\\u2028",
    0x2029: "\\u2029",
}


@cache
def vega_script() -> str:
    """Vega, Vega-Lite and Vega-Embed as one script without imports, about 0.9 MB; made once a process."""
    import vl_convert

    script: str = vl_convert.javascript_bundle(_SNIPPET)
    # An HTML parser ends a script at the first "</script", even inside a string.
    return script.replace("</script", "<\\/script").replace("<!--", "<\\!--")


def embedded_json(value: Any) -> str:
    """`value` as JSON that stays data inside a script element, whatever strings it holds.

    Raises ValueError for NaN and infinity, which JSON does not have.
    """
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.translate(_UNSAFE_IN_SCRIPT)


def content_security_policy(scripts: Sequence[str], styles: Sequence[str]) -> str:
    """A policy that allows these inline scripts and styles, images inside the page, and no request at all."""
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src {' '.join(_source(text) for text in scripts) or chr(39) + 'none' + chr(39)}",
            f"style-src {' '.join(_source(text) for text in styles)}",
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
        )
    )


def _source(text: str) -> str:
    digest = hashlib.sha256(text.encode("utf-8")).digest()
    return f"'sha256-{base64.b64encode(digest).decode('ascii')}'"
