"""Jobs of the worker that reads labelled data: pictures are decoded and texts tokenised here, not in the parent.

The data set stays open between requests of one worker.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

from backends.contract import Array, TensorSpec
from suites.datasets.dataset import Asked, Dataset
from suites.datasets.lines import vector_output
from suites.datasets.opening import open_data

Answer = tuple[dict[str, Any], dict[str, Array]]


def describe(arguments: dict[str, Any], _arrays: dict[str, Array]) -> Answer:
    """Job: open `arguments["path"]` for a model (the fields of `Asked`, signatures as JSON).

    Answers {"form", "task", "classes", "rows", "processing", "output": whose values count, "mean": whether they are
    averaged over the tokens} and the array "targets". Raises ModelError that names file and line.
    """
    asked = _asked(arguments)
    data = _opened(str(arguments["path"]), asked)
    output, mean = vector_output(asked) if data.task == "similarity" else (_class_output(asked), False)
    answer = {
        "form": data.form,
        "task": data.task,
        "classes": data.classes,
        "rows": data.rows,
        "processing": data.processing,
        "output": output,
        "mean": mean,
    }
    return answer, {"targets": data.targets}


def batch(arguments: dict[str, Any], _arrays: dict[str, Array]) -> Answer:
    """Job: the inputs of batch `arguments["index"]`; the other arguments as for `describe`."""
    data = _opened(str(arguments["path"]), _asked(arguments))
    return {}, data.batch(int(arguments["index"]))


def _class_output(asked: Asked) -> str:
    from suites.datasets.dataset import class_output

    return class_output(asked).name


@lru_cache(maxsize=1)
def _held(path: str, key: _Key) -> Dataset:
    return open_data(Path(path), key.asked)


class _Key:
    """An `Asked` that can be a key: it holds a mapping, which cannot be hashed."""

    def __init__(self, asked: Asked) -> None:
        self.asked = asked

    def __hash__(self) -> int:
        return hash(self.asked.model)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Key) and self.asked == other.asked


def _opened(path: str, asked: Asked) -> Dataset:
    return _held(path, _Key(asked))


def _asked(arguments: dict[str, Any]) -> Asked:
    inputs, outputs = (
        tuple(TensorSpec.from_json(entry) for entry in arguments[key]) for key in ("inputs", "outputs")
    )
    vocabulary = arguments["vocabulary"]
    return Asked(
        model=str(arguments["model"]),
        inputs=inputs,
        outputs=outputs,
        dims=dict(arguments["dims"]),
        batch=int(arguments["batch"]),
        pipeline=str(arguments["pipeline"]),
        vocabulary=None if vocabulary is None else Path(vocabulary),
    )
