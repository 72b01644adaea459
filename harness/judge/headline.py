"""The answer to a comparison in one or two sentences: who wins, and next to it whether that is right.

A contender that is not known to compute the right thing, or whose timed calls leave the work out, is never called
fastest; whatever a pair of contenders says about speed says so too.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from harness.judge.comparison import ContenderSummary, PairVerdict
from harness.judge.ratio_text import ratio_text
from harness.records import ParityStatus


def headline(contenders: Sequence[ContenderSummary], pairs: Sequence[PairVerdict]) -> str:
    """The answer in one or two sentences: who wins, and is it right. A wrong engine never wins."""
    measured = [c for c in contenders if c.p50.value is not None]
    if not measured and any(c.status == "measured" for c in contenders):
        return "Too few calls were measured to say anything. Raise --budget."
    if not measured:
        return "Nothing could be measured."
    if len(measured) == 1:
        only = measured[0]
        return f"Only {only.contender} could be measured{rightness(only.parity, only.work)}."
    right = [c for c in measured if c.sound]
    prefix = "".join(objections(measured))
    if not right:
        return prefix + "No contender is both measured and right, so none is called fastest."
    if len(right) == 1:
        return prefix + f"{right[0].contender} is the only one measured and right."
    names = [c.contender for c in right]
    beaten: dict[str, set[str]] = {name: set() for name in names}
    for pair in pairs:
        if pair.a in beaten and pair.b in beaten:
            if pair.verdict == "faster":
                beaten[pair.a].add(pair.b)
            elif pair.verdict == "slower":
                beaten[pair.b].add(pair.a)
    for name, losers in beaten.items():
        if len(losers) == len(names) - 1:
            return prefix + _winner_words(name, names, pairs)
    if all(p.verdict == "same" for p in pairs if p.a in beaten and p.b in beaten):
        return prefix + f"{_listed(names)} are equally fast within {pairs[0].margin:.0%}, and right."
    fastest = min(right, key=lambda c: c.p50.value or math.inf)
    return (
        f"{prefix}Which is fastest is not settled; {fastest.contender} has the lowest median, and "
        f"{'both' if len(names) == 2 else 'all'} compute the right thing."
    )


def objections(contenders: Sequence[ContenderSummary]) -> list[str]:
    """A sentence for every reason why some contenders cannot win, each ending with a space."""
    sentences = []
    wrong = [c.contender for c in contenders if c.parity == "fail" and c.work != "fail"]
    if wrong:
        sentences.append(f"{_listed(wrong)} {'compute' if len(wrong) > 1 else 'computes'} the wrong thing. ")
    idle = [c for c in contenders if c.work == "fail"]
    sentences += [f"{c.contender} does not do the work in its timed calls: {c.work_words}. " for c in idle]
    torn = [c.contender for c in contenders if c.parity == "nondeterministic"]
    if torn:
        sentences.append(
            f"Whether {_listed(torn)} {'are' if len(torn) > 1 else 'is'} right cannot be told: the model disagrees "
            "with itself. "
        )
    unknown = [c.contender for c in contenders if c.parity == "unknown"]
    if unknown:
        sentences.append(
            f"Whether {_listed(unknown)} {'are' if len(unknown) > 1 else 'is'} right is unknown. "
        )
    doubted = [c for c in contenders if c.sound and c.work == "doubt"]
    sentences += [f"In doubt is {c.contender}: {c.work_words}. " for c in doubted]
    return sentences


def beside(pair: PairVerdict, contenders: Sequence[ContenderSummary]) -> PairVerdict:
    """The pair with what stands against either side, so that no speed is told without its verdict."""
    two = [c for name in (pair.a, pair.b) for c in contenders if c.contender == name]
    against = objections([c for c in two if not c.sound or c.work == "doubt"])
    if pair.ratio.value is None or not against:
        return pair
    return pair.model_copy(update={"against": "".join(against).strip()})


def _winner_words(name: str, names: Sequence[str], pairs: Sequence[PairVerdict]) -> str:
    parts = []
    for pair in pairs:
        value, low, high = pair.ratio.value, pair.decision_low, pair.decision_high
        if value is None or low is None or high is None:
            continue
        if pair.a == name and pair.b in names:
            parts.append(
                f"{ratio_text(1 / value)}× [{ratio_text(1 / high)}, {ratio_text(1 / low)}] faster than {pair.b}"
            )
        elif pair.b == name and pair.a in names:
            parts.append(f"{ratio_text(value)}× [{ratio_text(low)}, {ratio_text(high)}] faster than {pair.a}")
    return f"{name} is fastest: {', '.join(parts)}; {'both' if len(names) == 2 else 'all'} compute the right thing."


def rightness(parity: ParityStatus, work: str = "pass") -> str:
    """What stands beside the speed of a single contender."""
    if work == "fail":
        return "; its timed calls do not do the work"
    return {
        "pass": "; it computes the right thing",
        "fail": "; it computes the wrong thing",
        "unknown": "; whether it is right is unknown",
        "nondeterministic": "; whether it is right cannot be told: the model disagrees with itself",
    }[parity]


def _listed(names: Sequence[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else list(names))
