"""Reads the small files in which the kernel describes the machine; what cannot be read is None.

Every reader takes the root folder as a parameter, so that recorded machines can be read like the one at hand.
"""

from __future__ import annotations

from pathlib import Path


class Sources:
    """Files below `root`. Missing, unreadable and empty files are all None: there is nothing to tell."""

    def __init__(self, root: Path = Path("/")) -> None:
        self.root = root
        self.this_machine = root == Path("/")
        """False for a recorded machine: then only its files may be asked, never the running system."""

    def text(self, path: str) -> str | None:
        """Content of the file, without surrounding white space and NUL bytes."""
        try:
            content = (self.root / path).read_bytes()
        except OSError:
            return None
        return content.decode("utf-8", errors="replace").strip("\0 \t\r\n") or None

    def integer(self, path: str) -> int | None:
        """The file's content as an integer; None where it is something else ("max", "<unsupported>")."""
        text = self.text(path)
        if text is None:
            return None
        try:
            return int(text)
        except ValueError:
            return None

    def exists(self, path: str) -> bool:
        """Whether the path exists as far as this user may see."""
        try:
            return (self.root / path).exists()
        except OSError:
            return False

    def names(self, folder: str, prefix: str = "") -> list[str]:
        """Names in `folder` that are `prefix` and a number, in the order of the number."""
        try:
            entries = [entry.name for entry in (self.root / folder).iterdir()]
        except OSError:
            return []
        numbered = [name for name in entries if name.startswith(prefix) and name[len(prefix) :].isdecimal()]
        return sorted(numbered, key=lambda name: int(name[len(prefix) :]))


def key_values(text: str | None, separator: str) -> dict[str, str]:
    """Lines "key<separator>value" as a dictionary; the first of equal keys is kept."""
    found: dict[str, str] = {}
    for line in (text or "").splitlines():
        key, mark, value = line.partition(separator)
        if mark:
            found.setdefault(key.strip(), value.strip())
    return found


def number_list(text: str | None) -> frozenset[int] | None:
    """The kernel's lists of numbers ("0-3,8") as a set; None where there is nothing or something else."""
    if not text:
        return None
    numbers: set[int] = set()
    for part in text.split(","):
        first, _, last = part.strip().partition("-")
        try:
            numbers.update(range(int(first), int(last or first) + 1))
        except ValueError:
            return None
    return frozenset(numbers)
