"""Keep secrets out of records: passwords in URLs, and values whose names say that they are secret."""

from __future__ import annotations

import re
from collections.abc import Sequence

MASK = "***"

_SECRET_NAME = re.compile(
    r"token|secret|passw|passphrase|credential|api_?key|access_?key|private|auth(?!or)|(^|_)(key|pwd|pass)$",
    re.IGNORECASE,
)
# Up to the last "@" of the word, because people paste passwords that hold "/" and "@" as they are.
_URL_PASSWORD = re.compile(r"(?P<head>[a-z][a-z0-9+.-]*://[^\s/@:]*:)\S*@", re.IGNORECASE)
# Both "--api-token=abc" and "...?password=abc&..." name the secret right before the value.
_ASSIGNMENT = re.compile(r"(?P<name>[A-Za-z0-9_.-]+)=(?P<value>[^&\s;]+)")
_FLAG = re.compile(r"--?(?P<name>[A-Za-z0-9_-]+)")


def is_secret_name(name: str) -> bool:
    """Whether a variable, option or parameter of this name holds a secret."""
    return _SECRET_NAME.search(name.replace("-", "_")) is not None


def mask(text: str) -> str:
    """`text` with the passwords of URLs and the values of secret parameters replaced by `***`."""
    hidden = _URL_PASSWORD.sub(rf"\g<head>{MASK}@", text)
    return _ASSIGNMENT.sub(
        lambda found: f"{found['name']}={MASK}" if is_secret_name(found["name"]) else found[0], hidden
    )


def mask_command(command: Sequence[str]) -> tuple[str, ...]:
    """A command line without secrets; the word after a secret option ("--token abc") is replaced as well."""
    words: list[str] = []
    secret_next = False
    for word in command:
        words.append(MASK if secret_next else mask(word))
        flag = _FLAG.fullmatch(word)
        secret_next = flag is not None and is_secret_name(flag["name"])
    return tuple(words)
