"""Results of closed loops for tests: servers whose throughput and latency are known."""

from __future__ import annotations

import random
from typing import Any

from harness.records import ContenderRef, Load, Result, Round, Trial, VariantRef, Window
from tests.factories import make_case, make_result

WINDOW_NS = 500_000_000


def make_loaded(
    contender: str = "ort",
    concurrency: int = 1,
    *,
    servers: float = 2.0,
    service_ns: int = 1_000_000,
    batch: int = 1,
    threads: int = 1,
    trials: int = 3,
    rounds: int = 3,
    noise: float = 0.01,
    memory: int = 100_000_000,
    ceiling_per_s: float = 1e6,
    think_ns: int = 0,
    seed: int = 0,
    **overrides: Any,
) -> Result:
    """A closed loop of `concurrency` requests on `servers` servers; `think_ns` passes between two calls of one."""
    random_ = random.Random(f"{seed} {contender} {concurrency} {batch} {threads}")
    latency = max(service_ns, concurrency * service_ns / servers)

    def one_round(index: int) -> Round:
        pace = random_.gauss(1, noise)
        count = round(WINDOW_NS * concurrency / (latency * pace + think_ns))
        return Round(
            index=index,
            position=0,
            input_set="normal:0",
            samples_ns=tuple(int(latency * pace * random_.gauss(1, noise)) for _ in range(count)),
            canary_ns=5_000_000,
            cpu_s=0.4,
            steal_s=0.0,
            window=Window(
                window_ns=WINDOW_NS,
                ends_ns=tuple(WINDOW_NS * (i + 1) // count for i in range(count)),
                ceiling_per_s=ceiling_per_s,
                memory=memory + 10_000_000 * concurrency + index,
            ),
        )

    case = make_case(contender).model_copy(
        update={
            "variant": VariantRef(batch=batch, threads=threads),
            "scenario": "closed_loop",
            "load": Load(concurrency=concurrency),
            "contender": ContenderRef(text=contender, backend=contender),
            "key": f"resnet50 | {contender} | batch {batch} | threads {threads} | closed_loop | {concurrency}",
        }
    )
    fields: dict[str, Any] = {
        "case": case,
        "group_id": f"load-{batch}-{threads}-{concurrency}",
        "trials": tuple(
            Trial(
                index=index,
                import_ns=1,
                load_ns=1,
                first_inference_ns=2_000_000,
                warmup_ns=(2_000_000, 1_000_000),
                steady_from=1,
                rounds=tuple(one_round(number) for number in range(rounds)),
                timed_drift=0.0,
            )
            for index in range(trials)
        ),
        "warnings": (),
    }
    return make_result(contender, **{**fields, **overrides})
