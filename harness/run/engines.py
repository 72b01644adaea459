"""Which engines are here: every registered or known one, probed in a worker of its own."""

from __future__ import annotations

from harness.engine_status import EngineStatus
from harness.run.worker import Worker, WorkerFailure

PROBE_DEADLINE_S = 60.0


def probe_all() -> list[EngineStatus]:
    """Probe every registered adapter, then list the known engines without one."""
    from backends.catalogue import KNOWN, discover

    registered = discover()
    names = [*(name for name in KNOWN if name in registered), *(n for n in registered if n not in KNOWN)]
    found = [probe(name) for name in names]
    for name, engine in KNOWN.items():
        if name not in registered:
            found.append(
                EngineStatus(
                    name,
                    engine.title,
                    engine.distribution,
                    False,
                    reason="no adapter in this release",
                    install=engine.install,
                    aliases=tuple(engine.aliases),
                )
            )
    return found


def probe(name: str) -> EngineStatus:
    """Probe one engine in a worker; a crash or a hang is a reason like any other."""
    from backends.catalogue import KNOWN

    engine = KNOWN.get(name)
    title = engine.title if engine else name
    distribution = engine.distribution if engine else ""
    aliases = tuple(engine.aliases) if engine else ()
    install = engine.install if engine else ""
    try:
        with Worker(f"probe {name}") as worker:
            answer = worker.request("probe", {"backend": name}, deadline_s=PROBE_DEADLINE_S).head["probe"]
    except WorkerFailure as failure:
        return EngineStatus(
            name, title, distribution, False, reason=failure.message, install=install, aliases=aliases
        )
    return EngineStatus(
        name,
        title,
        distribution,
        answer["available"],
        version=answer["version"],
        devices=tuple(answer["devices"]),
        reason=answer["reason"],
        install=answer["install"] or install,
        flavours=answer["flavours"],
        aliases=aliases,
    )
