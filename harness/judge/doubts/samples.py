"""Doubts about one contender's samples: warm-up, canary, trials, dependence, modes, outliers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from harness.judge.dependence import MAD_TO_SIGMA, Floats, effective_count, lag1
from harness.judge.modes import two_modes
from harness.judge.warmup.steady import judge_warmup
from harness.judge.warmup.unsteady import how_unsteady
from harness.judge.warmup.warming import still_warming
from harness.records import Result, Trial, Warning_

CANARY_SPREAD = 0.05
STEAL_SHARE = 0.01
MIN_CANARIES = 3
MIN_TRIALS = 4
"""Fewer trials give intervals that are wide and shaky: three degrees of freedom are the least worth having."""
CORRELATION = 0.5
TRIAL_SPREAD_RATIO = 2.0
TRIAL_SPREAD_SHARE = 0.01
OUTLIER_SHARE = 0.05
OUTLIER_EXCESS = 0.2
"""An outlier is slower than its block's median by this share, and by five robust standard deviations."""
MIN_SAMPLES = 40


def doubts(result: Result) -> tuple[Warning_, ...]:
    """All doubts about the samples of a measured result."""
    trials = [trial for trial in result.trials if any(item.samples_ns for item in trial.rounds)]
    if not trials:
        return (
            Warning_(
                code="no_samples",
                message="The result has no samples.",
                figure=0.0,
                consequence="Nothing can be said about its speed.",
                advice="Measure again with a larger budget (`--budget`).",
            ),
        )
    blocks = [block for trial in trials for block in _blocks(trial)]
    modes = tuple(_bimodal(blocks))
    return (
        *_warm_up(trials),
        *_canary(trials),
        *_stolen(result, trials),
        *_few_trials(trials),
        *_dependent(blocks),
        *_trial_spread(trials),
        *modes,
        # The smaller of two modes would be counted as outliers once more.
        *(() if modes else _outliers(blocks)),
    )


def _blocks(trial: Trial) -> list[Floats]:
    """Nanoseconds per call of every block; times that are not positive (a broken clock) are left out."""
    blocks = [
        np.asarray(item.samples_ns, dtype=np.float64) / item.calls_per_sample
        for item in trial.rounds
        if item.samples_ns
    ]
    return [block[block > 0.0] for block in blocks if bool(np.any(block > 0.0))]


def _warm_up(trials: Sequence[Trial]) -> Iterator[Warning_]:
    without = sum(not trial.warmup_ns for trial in trials)
    never = sum(trial.steady_from is None for trial in trials) - without
    if never > 0:
        judged = [judge_warmup(t.warmup_ns) for t in trials if t.warmup_ns and t.steady_from is None]
        how, advice = how_unsteady(judged)
        yield Warning_(
            code="never_steady",
            message=f"In {never} of {len(trials)} trials the calls never became steady during warm-up: {how}.",
            figure=never / len(trials),
            consequence="The latency depends on when it was measured; it may still contain warm-up.",
            advice=advice,
        )
    faster = [share for trial in trials if (share := still_warming(trial)) is not None]
    if faster:
        yield Warning_(
            code="warmed_up_late",
            message=f"In {len(faster)} of {len(trials)} trials the timed blocks were faster than the end of the "
            f"warm-up, by up to {max(faster):.0%}.",
            figure=max(faster),
            consequence="The warm-up ended on a level that was not the last; early samples may be too slow.",
            advice="Measure more trials (`--min-trials`): each warms up for longer after such a one; or see whether "
            "another process slowed the warm-up.",
        )
    if without > 0:
        yield Warning_(
            code="warmup_unknown",
            message=f"In {without} of {len(trials)} trials no warm-up was recorded.",
            figure=without / len(trials),
            consequence="Whether the calls were steady when timing began is unknown.",
            advice="Measure again; a budget that is too small can leave no time for the warm-up.",
        )


def _canary(trials: Sequence[Trial]) -> Iterator[Warning_]:
    values = [item.canary_ns for trial in trials for item in trial.rounds if item.canary_ns]
    if len(values) < MIN_CANARIES:
        yield Warning_(
            code="canary_missing",
            message=f"The canary was measured in {len(values)} rounds; {MIN_CANARIES} are needed to judge it.",
            figure=float(len(values)),
            consequence="Whether the machine kept its own speed is unknown.",
            advice="Measure more rounds (`--budget`).",
        )
        return
    spread = float(np.std(values, ddof=1) / np.mean(values))
    if spread > CANARY_SPREAD:
        yield Warning_(
            code="machine_wandered",
            message=f"The machine's own speed wandered by {spread:.0%} (canary, over {len(values)} rounds).",
            figure=spread,
            consequence="Ratios within a round hold; absolute latencies do not compare with those of another day.",
            advice="Quieten the machine: other processes, frequency governor, cooling, neighbours on the host.",
        )


def _stolen(result: Result, trials: Sequence[Trial]) -> Iterator[Warning_]:
    """Stolen time inside this contender's blocks, over the cores that it could use."""
    rounds = [item for trial in trials for item in trial.rounds if item.steal_s is not None]
    wall_s = sum(sum(item.samples_ns) for item in rounds) * 1e-9
    if wall_s <= 0.0:
        return
    share = sum(item.steal_s or 0.0 for item in rounds) / (wall_s * result.machine.cores_usable)
    if share > STEAL_SHARE:
        yield Warning_(
            code="stolen_from_blocks",
            message=f"The hypervisor took away {share:.1%} of the CPU time during this contender's blocks.",
            figure=share,
            consequence="Latencies include time in which the machine did not run; high percentiles suffer most.",
            advice="Measure on a dedicated host, or when its other tenants are quiet.",
        )


def _few_trials(trials: Sequence[Trial]) -> Iterator[Warning_]:
    if len(trials) < MIN_TRIALS:
        one = len(trials) == 1
        yield Warning_(
            code="few_trials",
            message=f"Only {len(trials)} {'trial was' if one else 'trials were'} measured.",
            figure=float(len(trials)),
            consequence="Differences between processes are "
            + ("unknown: no interval can include them." if one else "known badly: intervals are unreliable."),
            advice=f"Measure at least {MIN_TRIALS} trials (`--min-trials {MIN_TRIALS}`, or a larger `--budget`).",
        )


def _dependent(blocks: Sequence[Floats]) -> Iterator[Warning_]:
    correlation = lag1([np.log(block) for block in blocks])
    if correlation is not None and correlation > CORRELATION:
        count = sum(block.size for block in blocks)
        effective = effective_count(count, correlation)
        yield Warning_(
            code="dependent_samples",
            message=f"Neighbouring calls resemble each other (correlation {correlation:.2f}): {count} samples say "
            f"as much as about {effective:.0f} independent ones.",
            figure=correlation,
            consequence="High percentiles rest on fewer events than their number of samples suggests.",
            advice="Believe intervals rather than sample counts; more rounds help, longer blocks do not.",
        )


def _trial_spread(trials: Sequence[Trial]) -> Iterator[Warning_]:
    """Standard deviation that trials add to what their rounds explain, against that of rounds in a trial."""
    levels = [np.asarray([np.median(block) for block in _blocks(trial)]) for trial in trials]
    levels = [level for level in levels if level.size >= 2]
    if len(levels) < 3:
        return
    logs = [np.log(level) for level in levels]
    within = float(np.mean([np.var(log, ddof=1) for log in logs]))
    explained = within / float(np.mean([log.size for log in logs]))
    added = float(np.sqrt(max(0.0, float(np.var([log.mean() for log in logs], ddof=1)) - explained)))
    rounds = float(np.sqrt(within))
    if added > TRIAL_SPREAD_SHARE and added > TRIAL_SPREAD_RATIO * rounds:
        yield Warning_(
            code="trials_differ",
            message=f"Trials differ by {added:.1%}, rounds inside a trial only by {rounds:.1%}.",
            figure=added,
            consequence="Every fresh process is fast or slow in its own way; more rounds cannot average that out.",
            advice="Spend the budget on more trials (`--min-trials`) rather than on longer ones.",
        )


def _bimodal(blocks: Sequence[Floats]) -> Iterator[Warning_]:
    modes = two_modes(blocks)
    if modes is not None:
        yield Warning_(
            code="two_modes",
            message=f"Latencies come in two modes: {modes.low / 1e6:.3g} ms and {modes.high / 1e6:.3g} ms "
            f"({modes.gap:.0%} slower, {modes.share_high:.0%} of calls).",
            figure=modes.gap,
            consequence="The median can jump from one mode to the other without any change in the engine.",
            advice="Look for the cause: threads that share a core, frequency steps, or work that alternates; "
            "try fewer threads.",
        )


def _outliers(blocks: Sequence[Floats]) -> Iterator[Warning_]:
    count = sum(block.size for block in blocks)
    if count < MIN_SAMPLES:
        return
    slow = 0
    for block in blocks:
        median = float(np.median(block))
        sigma = MAD_TO_SIGMA * float(np.median(np.abs(block - median)))
        slow += int(np.count_nonzero(block > median + max(5.0 * sigma, OUTLIER_EXCESS * median)))
    share = slow / count
    if share > OUTLIER_SHARE:
        yield Warning_(
            code="many_outliers",
            message=f"Outliers, far slower than the median of their block, are {share:.1%} of the calls.",
            figure=share,
            consequence="Mean and high percentiles show disturbances at least as much as the engine.",
            advice="Quieten the machine, or use fewer threads than cores so that the system's work has room.",
        )
