"""A process and all that it started, by the parents that /proc/PID/stat names (see proc(5))."""

from __future__ import annotations

from harness.environment.sources import Sources


def process_tree(sources: Sources, pid: int) -> tuple[int, ...]:
    """`pid` first, then its descendants; empty when it is not there. What ends while we look is left out."""
    parents: dict[int, int] = {}
    for name in sources.names("proc"):
        fields = stat_fields(sources, f"proc/{name}")
        if fields is not None:
            parents[int(name)] = int(fields[1])
    if pid not in parents:
        return ()
    children: dict[int, list[int]] = {}
    for child, parent in parents.items():
        children.setdefault(parent, []).append(child)
    found = [pid]
    for parent in found:
        found += [child for child in children.get(parent, ()) if child not in found]
    return tuple(found)


def stat_fields(sources: Sources, folder: str) -> list[str] | None:
    """Fields of /proc/PID/stat from the third (state) on; None where it cannot be read.

    The second field is the command in brackets, which may hold blanks and brackets itself.
    """
    text = sources.text(f"{folder}/stat")
    fields = text.rpartition(")")[2].split() if text else []
    return fields if len(fields) > 12 and fields[1].isdecimal() else None
