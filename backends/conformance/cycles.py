"""`python -m backends.conformance.cycles TASK FOLDER`: load, infer and close again and again, and watch memory.

TASK is a JSON object with `backend`, `flavour` and `options`. Prints one JSON object with resident bytes after
every cycle.
"""

from __future__ import annotations

import gc
import json
import os
import sys
from pathlib import Path

from backends.catalogue import load_adapter
from backends.conformance.models import BULK
from backends.contract import UnsupportedError, Variant

SETTLING = 4
CYCLES = 20


def resident_bytes() -> int:
    """Resident memory of this process."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def main(task: str, folder: Path) -> None:
    """Print resident memory after every cycle; allocators and pools settle in the first ones."""
    asked = json.loads(task)
    backend = load_adapter(asked["backend"])
    variant = Variant(flavour=asked["flavour"], options=asked["options"])
    source = BULK.source(folder)
    build = folder / "build"
    build.mkdir()
    resident = []
    try:
        artefact = backend.build(source, variant, build)
        for _ in range(SETTLING + CYCLES):
            session = backend.load(source, artefact, variant)
            session.prepare(BULK.feeds(0, batch=1))
            session.infer()
            session.synchronize()
            session.download()
            session.close()
            del session
            gc.collect()
            resident.append(resident_bytes())
    except UnsupportedError as error:
        sys.stdout.write(json.dumps({"unsupported": str(error)}) + "\n")
        return
    told = {"settled": resident[SETTLING - 1], "last": resident[-1], "cycles": CYCLES, "resident": resident}
    sys.stdout.write(json.dumps(told) + "\n")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
