"""`python -m backends.conformance NAME[:FLAVOUR] [pytest arguments]`: run the kit on one adapter."""

from __future__ import annotations

import sys


def main(arguments: list[str]) -> int:
    """Exit code of the kit: pytest's own."""
    if not arguments or arguments[0].startswith("-"):
        sys.stderr.write("usage: python -m backends.conformance NAME[:FLAVOUR] [pytest arguments]\n")
        return 2
    import pytest

    backend, *rest = arguments
    # Without the cache provider the kit leaves nothing in the folder it is started from.
    plugins = ["-p", "backends.conformance.plugin", "-p", "no:cacheprovider"]
    return int(pytest.main([*plugins, "--pyargs", "backends.conformance", "--backend", backend, *rest]))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
