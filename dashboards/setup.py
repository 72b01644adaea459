"""What was measured where: machine, environment, settings, effective configuration, and how to repeat it."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from harness.records import Environment, Machine, Result, Settings
from harness.show import numbers as fmt

NOT_TOLD = "n/a (the system does not tell)"


@dataclass(frozen=True)
class Facts:
    """A titled list of names and values."""

    title: str
    items: tuple[tuple[str, str], ...]


def machine_facts(machine: Machine) -> Facts:
    """Fingerprint of the machine."""
    cores = f"{machine.cores_usable} usable of {_or_not_told(machine.cores_logical)} logical"
    if machine.cores_physical is not None:
        cores += f", {machine.cores_physical} physical"
    limits = [
        f"{machine.container_cpu_limit:g} CPUs" if machine.container_cpu_limit is not None else "",
        fmt.quantity(machine.container_memory_limit, "bytes") if machine.container_memory_limit else "",
    ]
    gpus = "; ".join(
        ", ".join(
            part
            for part in (
                gpu.name,
                fmt.quantity(gpu.memory, "bytes") if gpu.memory else "",
                _driver(gpu.driver),
            )
            if part
        )
        for gpu in machine.gpus
    )
    frequency = None if machine.frequency_mhz is None else f"{machine.frequency_mhz:.0f} MHz"
    return Facts(
        "Machine",
        (
            ("host", machine.hostname),
            ("identity", machine.id),
            ("CPU", machine.cpu),
            ("architecture", machine.architecture),
            ("cores", cores),
            ("caches", ", ".join(f"{name} {size}" for name, size in machine.caches.items()) or NOT_TOLD),
            ("memory", fmt.quantity(machine.memory, "bytes")),
            ("frequency", frequency or NOT_TOLD),
            ("governor", machine.governor or NOT_TOLD),
            ("microcode", machine.microcode or NOT_TOLD),
            ("GPU", gpus or "none"),
            ("system", f"{machine.system}, kernel {machine.kernel}"),
            ("virtualisation", machine.virtualisation or "none found"),
            ("container limits", ", ".join(limit for limit in limits if limit) or "none found"),
        ),
    )


def environment_facts(environment: Environment) -> Facts:
    """Software around the measurement."""
    commit = environment.commit or "n/a (not in a repository)"
    if environment.dirty:
        commit += ", with changes that were not committed"
    variables = " ".join(f"{name}={shlex.quote(value)}" for name, value in environment.variables.items())
    return Facts(
        "Environment",
        (
            ("harness", environment.harness),
            ("Python", environment.python),
            ("commit", commit),
            ("branch", environment.branch or "n/a"),
            ("variables that engines read", variables or "none set"),
        ),
    )


def _budget(settings: Settings) -> str:
    words = fmt.exact(settings.budget_s, "seconds") + " a group"
    if settings.extension_s:
        words += f", {fmt.exact(settings.extension_s, 'seconds')} more where a ratio stays vague"
    return words


def settings_facts(settings: Settings) -> Facts:
    """How it was measured and judged."""
    return Facts(
        "Settings",
        (
            ("margin", f"{fmt.share(settings.margin)} (a smaller difference counts as none)"),
            ("confidence", fmt.share(settings.confidence)),
            ("interval wanted", f"± {fmt.share(settings.target_ci)}"),
            ("time budget", _budget(settings)),
            ("trials", f"{settings.min_trials} to {settings.max_trials}"),
            ("rounds a trial", str(settings.rounds_per_trial)),
            ("block", fmt.exact(settings.block_s, "seconds")),
            ("longest warm-up", fmt.exact(settings.warmup_max_s, "seconds")),
            ("deadline of a step", fmt.exact(settings.deadline_s, "seconds")),
            (
                "memory limit",
                fmt.quantity(settings.memory_limit, "bytes") if settings.memory_limit else "none",
            ),
            ("seed", str(settings.seed)),
            ("input sets", ", ".join(settings.input_sets)),
        ),
    )


def result_facts(result: Result) -> Facts:
    """What one contender was asked for, and what the engine really ran with."""
    contender, artefact = result.case.contender, result.artefact
    options = ", ".join(f"{name}={value}" for name, value in contender.options.items())
    artefact_words = "n/a" if artefact is None else fmt.quantity(artefact.bytes, "bytes")
    if artefact is not None and artefact.note:
        artefact_words += f" ({artefact.note})"
    inputs = ", ".join(f"{name} {digest[:12]}" for name, digest in result.inputs_sha256.items())
    asked = ", ".join(part for part in (contender.precision, contender.flavour, options) if part)
    known = (
        ("engine", f"{contender.backend} {result.engine_version}".strip()),
        ("asked for", asked),
        ("model", f"{result.case.model.name}, sha256 {result.case.model.sha256[:12]}"),
        ("inputs, sha256", inputs or "n/a"),
        ("artefact", artefact_words),
    )
    effective = tuple((f"effective: {name}", _plain(value)) for name, value in result.effective.items())
    return Facts(contender.text, known + (effective or (("effective", "n/a (the engine tells nothing)"),)))


def packages(environment: Environment) -> tuple[tuple[str, str], ...]:
    """Installed packages by name."""
    return tuple(sorted(environment.packages.items(), key=lambda item: item[0].lower()))


def command_line(environment: Environment) -> str:
    """The command as a shell takes it; empty when it was not recorded."""
    return shlex.join(environment.command)


def repeat_lines(environment: Environment) -> tuple[str, ...]:
    """Shell lines that repeat what was measured; none where the record does not hold the command line."""
    if not environment.command:
        return ()
    lines = []
    if environment.commit:
        lines.append(f"git checkout {shlex.quote(environment.commit)}")
    lines.append(f"pip install {shlex.quote('inference-harness==' + environment.harness)}")
    if environment.variables:
        lines.append(
            "export "
            + " ".join(f"{name}={shlex.quote(value)}" for name, value in environment.variables.items())
        )
    return (*lines, command_line(environment))


def left_over(results: Sequence[Result], shown: set[str]) -> tuple[str, ...]:
    """Contenders whose results no judged group holds: said on the page, because missing is never passing."""
    return tuple(
        f"{result.case.contender.text} on {result.case.model.name}"
        for result in results
        if result.id not in shown
    )


def _plain(value: Any) -> str:
    return (
        value
        if isinstance(value, str)
        else json.dumps(value, ensure_ascii=False, sort_keys=True, default=str)
    )


def _or_not_told(value: int | None) -> str:
    return "n/a" if value is None else str(value)


def _driver(driver: str) -> str:
    return f"driver {driver}" if driver else ""
