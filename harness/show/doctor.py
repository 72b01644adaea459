"""What the doctor found, as text: tables on a terminal, plain lines elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

from harness.environment.pressure import PressureDelta
from harness.records import Environment, Machine, Warning_
from harness.show.noise import noise_answer, noise_rows

if TYPE_CHECKING:
    from harness.checkup import Checkup
    from harness.engine_status import EngineStatus

Rows = list[tuple[str, str]]

UNREADABLE = "not readable"


def print_checkup(found: Checkup, console: Console) -> None:
    """Print all sections, and the advice last, where it is seen."""
    _print_section("Machine", machine_rows(found.machine), console)
    _print_section("Limits", limit_rows(found.machine), console)
    _print_section("Software", software_rows(found.environment), console)
    _print_section("Engines", engine_rows(found.engines), console)
    _print_section(f"Last {found.pressure.wall_s:.1f} s", pressure_rows(found.pressure), console)
    if found.noise is not None:
        seconds = found.noise.samples.seconds if found.noise.samples else 0.0
        title = f"Noise (measured for {seconds:.0f} s)" if seconds else "Noise"
        _print_section(title, noise_rows(found.noise), console)
    _print_warnings(found.warnings, console)
    if found.noise is not None:
        console.print()
        console.print(Text(noise_answer(found.noise), style="bold"), soft_wrap=not console.is_terminal)


def machine_rows(machine: Machine) -> Rows:
    """What the machine is."""
    frequency = None if machine.frequency_mhz is None else f"{machine.frequency_mhz / 1000:.2f} GHz"
    caches = ", ".join(f"{name} {size}" for name, size in machine.caches.items())
    rows = [
        ("fingerprint", machine.id),
        ("host", f"{machine.hostname} ({machine.system} {machine.kernel}, {machine.architecture})"),
        ("processor", machine.cpu),
        ("cores", f"{_told(machine.cores_physical)} physical, {_told(machine.cores_logical)} logical"),
        ("instruction sets", ", ".join(machine.cpu_flags) or UNREADABLE),
        ("caches", caches or UNREADABLE),
        ("frequency", _told(frequency)),
        ("governor", _told(machine.governor)),
        ("microcode", _told(machine.microcode)),
        ("memory", _gib(machine.memory) if machine.memory else UNREADABLE),
        ("virtualisation", machine.virtualisation or "none seen"),
    ]
    rows += [("GPU", _gpu(gpu.name, gpu.memory, gpu.driver)) for gpu in machine.gpus]
    return rows if machine.gpus else [*rows, ("GPU", "none seen (asked nvidia-smi)")]


def limit_rows(machine: Machine) -> Rows:
    """How much of the machine may be used."""
    cpu, memory = machine.container_cpu_limit, machine.container_memory_limit
    return [
        ("CPUs usable", str(machine.cores_usable)),
        ("container's CPU limit", "none seen" if cpu is None else f"{cpu:g} CPUs"),
        ("container's memory limit", "none seen" if memory is None else _gib(memory)),
    ]


def software_rows(environment: Environment) -> Rows:
    """Versions, commit, variables."""
    packages = ", ".join(f"{name} {version}" for name, version in environment.packages.items())
    commit = "none (not in a git repository)"
    if environment.commit:
        branch = f" on {environment.branch}" if environment.branch else ""
        commit = f"{environment.commit[:12]}{branch}{', with changes' if environment.dirty else ''}"
    return [
        ("harness", environment.harness),
        ("Python", environment.python),
        ("packages", packages or "none of those that matter"),
        ("commit", commit),
        *[(name, value) for name, value in environment.variables.items()],
    ]


def engine_rows(engines: Sequence[EngineStatus]) -> Rows:
    """Every engine: its version and devices, or why it is not here and how to install it."""
    rows: Rows = []
    for engine in engines:
        if engine.available:
            devices = f" on {', '.join(engine.devices)}" if engine.devices else ""
            rows.append((engine.name, f"{engine.version}{devices}".strip() or "available"))
        else:
            install = f"; install: {engine.install}" if engine.install else ""
            rows.append((engine.name, f"not available: {engine.reason or 'no reason told'}{install}"))
        for flavour, reason in engine.flavours.items():
            if flavour:
                rows.append(
                    (f"{engine.name}:{flavour}", f"not available: {reason}" if reason else "available")
                )
    return rows


def pressure_rows(pressure: PressureDelta) -> Rows:
    """What happened on the machine while nothing of ours ran."""
    throttled, heat = pressure.throttled_count, pressure.tempo.temperature_c
    return [
        ("other processes", _share(pressure.competing_share)),
        ("stolen by hypervisor", _share(pressure.steal_share)),
        ("throttled by container", UNREADABLE if throttled is None else f"{throttled} times"),
        ("swapped", UNREADABLE if pressure.swap_pages is None else f"{pressure.swap_pages} pages"),
        ("heat", UNREADABLE if pressure.thermal_events is None else f"{pressure.thermal_events} events"),
        ("frequency", _frequency(pressure)),
        ("temperature", UNREADABLE if heat is None else f"{heat:.0f} °C"),
        ("clock source", _told(pressure.setting.clocksource)),
        ("boost", _on(pressure.setting.boost)),
        ("huge pages", _told(pressure.setting.huge_pages)),
        ("memory nodes", _told(pressure.setting.numa_nodes)),
        ("load average", UNREADABLE if pressure.load_1m is None else f"{pressure.load_1m:.2f}"),
        (
            "memory available",
            UNREADABLE if pressure.memory_available is None else _gib(pressure.memory_available),
        ),
    ]


def _print_section(title: str, rows: Rows, console: Console) -> None:
    console.print(Text(title, style="bold"))
    if console.is_terminal:
        table = Table(show_header=False, box=None, padding=(0, 2))
        table.add_column(no_wrap=True, style="dim")
        table.add_column(overflow="fold")
        for label, value in rows:
            table.add_row(Text(label), Text(value))
        console.print(table)
    else:
        for label, value in rows:
            console.print(Text(f"  {label}: {value}"), soft_wrap=True)
    console.print()


def _print_warnings(warnings: Sequence[Warning_], console: Console) -> None:
    if not warnings:
        console.print("Advice: nothing seen that would disturb a measurement.", soft_wrap=True)
        return
    console.print(Text("Advice", style="bold"))
    for warning in warnings:
        line = Text("  warning: ", style="yellow")
        line.append(
            " ".join(part for part in (warning.message, warning.consequence) if part), style="default"
        )
        console.print(line, soft_wrap=not console.is_terminal)
        console.print(Text(f"    {warning.advice}"), soft_wrap=not console.is_terminal)


def _told(value: object | None) -> str:
    return UNREADABLE if value is None else str(value)


def _on(switch: bool | None) -> str:
    return UNREADABLE if switch is None else "on" if switch else "off"


def _frequency(pressure: PressureDelta) -> str:
    """At the beginning and at the end, which is enough for a second."""
    mhz = pressure.tempo.frequencies_mhz
    return f"{mhz[0] / 1000:.2f} to {mhz[-1] / 1000:.2f} GHz" if mhz else UNREADABLE


def _share(share: float | None) -> str:
    return UNREADABLE if share is None else f"{share:.1%} of the CPU time"


def _gib(size: int) -> str:
    return f"{size / 2**30:.1f} GiB"


def _gpu(name: str, memory: int | None, driver: str) -> str:
    parts = [name, _gib(memory) if memory else "", f"driver {driver}" if driver else ""]
    return ", ".join(part for part in parts if part)
