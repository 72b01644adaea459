"""By which words engines say that they lack something, as opposed to failing at what they have.

Taken from the engines' own errors over the ONNX project's cases. A rule is narrow: words that could also come from a
fault are not in it, because an error that no rule knows counts as a failure.
"""

from __future__ import annotations

import re

_ORT = (
    # A set of operators, or a version of the file format, that is newer than the engine.
    r"ONNX Runtime only \*guarantees\* support for models stamped with official released onnx opset versions",
    r"Unsupported model IR version",
    r"is under development and support for this is limited",
    # An operator of a set that it has never heard of, or that it knows only in an older form.
    r"is not a registered function/op",
    r"No Op registered for",
    r"Unrecognized attribute: ",
    r"has more inputs \(\d+\) than declared",
    r"has more outputs \(\d+\) than declared",
    # An operator that exists, but not for this type.
    r"Type 'tensor\([a-z0-9]+\)' of (input|output) parameter .* is invalid",
    # Its own words in the middle of an operator.
    r"(?i)not (yet )?(been )?(implemented|supported)",
    r"(?i)\bunsupported\b",
)
_OPENVINO = (
    r"No conversion rule found for operations",
    r"(?i)not[ _]?implemented",
    r"(?i)not (yet )?supported",
    r"(?i)\bunsupported\b",
    r"(?i)doesn't support",
    r"(?i)does not support",
    r"(?i)only supported for",
)


def ort_lacks(kind: str, message: str) -> str:
    """What ONNX Runtime says that it lacks; empty when the error (`kind` is its class) says nothing of the sort."""
    if kind == "NotImplemented" or any(re.search(rule, message) for rule in _ORT):
        return _last_words(message, "failed:")
    return ""


def openvino_lacks(message: str) -> str:
    """What OpenVINO says that it lacks; empty when its error says nothing of the sort.

    It raises RuntimeError for everything, so that only the words tell.
    """
    for rule in _OPENVINO:
        match = re.search(rule, message)
        if match:
            start = message.rfind("\n", 0, match.start()) + 1
            end = message.find("\n\n", match.end())
            return " ".join(message[start : end if end > 0 else len(message)].split())
    return ""


def _last_words(message: str, after: str) -> str:
    return " ".join(message.rpartition(after)[2].split()) or message
