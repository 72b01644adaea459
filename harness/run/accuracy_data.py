"""Labelled data as the parent holds them: read batch by batch in a worker of their own, with a hash for each."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from backends.contract import Array
from harness.errors import InputError
from harness.records import VariantRef
from harness.records.accuracy import DataRef, Task
from harness.run.jobs import ask_job
from harness.run.resolved import ResolvedModel
from harness.run.worker import Worker, WorkerFailure

USUAL_LENGTH = 128
"""Tokens of a text, for a model without a size of its own: longer texts are cut."""


@dataclass
class LabelledData:
    """The opened data: `arguments` of the jobs that read them, what they said, and the hash of each batch so far.

    `name` is as the user gave it; `variant` the one that engines are built for: its batch and dims are those of the
    data's batches.
    """

    name: str
    variant: VariantRef
    arguments: Mapping[str, Any]
    worker: Worker
    deadline_s: float
    told: Mapping[str, Any]
    targets: Array
    hashes: list[str] = field(default_factory=list)

    @property
    def batch(self) -> int:
        """Rows of each batch."""
        return self.variant.batch

    @property
    def rows(self) -> int:
        """Rows of inputs in all."""
        return int(self.told["rows"])

    @property
    def batches(self) -> int:
        """Batches in all; the last one may be filled up."""
        return -(-self.rows // self.batch)

    @property
    def task(self) -> Task:
        """What the data ask of the model."""
        return "similarity" if self.told["task"] == "similarity" else "classification"

    @property
    def output(self) -> str:
        """The model's output that counts."""
        return str(self.told["output"])

    def read(self, index: int) -> tuple[dict[str, Array], str]:
        """The inputs of a batch and their hash. Raises InputError, also where they differ from the last reading."""
        from suites.inputs import sha256_of

        asked = {**self.arguments, "index": index}
        try:
            _, feeds = ask_job(
                self.worker,
                "suites.datasets.job:batch",
                asked,
                deadline_s=self.deadline_s,
                phase="reading the data",
            )
        except WorkerFailure as failure:
            raise _data_error(failure, self.name) from None
        found = sha256_of(feeds)
        if index == len(self.hashes):
            self.hashes.append(found)
        elif self.hashes[index] != found:
            raise InputError(
                f"--data {self.name}: batch {index + 1} has other bytes than when it was read before",
                "leave the data alone while they are read",
            )
        return feeds, found

    def digest(self) -> str:
        """SHA-256 of all inputs in order and of labels or scores; "" before all were read."""
        if len(self.hashes) < self.batches:
            return ""
        digest = hashlib.sha256("\n".join(self.hashes).encode())
        digest.update(
            np.ascontiguousarray(self.targets).astype(self.targets.dtype.newbyteorder("<")).tobytes()
        )
        return digest.hexdigest()

    def ref(self) -> DataRef:
        """As it goes into a record."""
        similarity = self.task == "similarity"
        return DataRef(
            name=self.name,
            form=self.told["form"],
            items=len(self.targets),
            classes=int(self.told["classes"]),
            sha256=self.digest(),
            batch=self.batch,
            processing=str(self.told["processing"]),
            targets=tuple(float(value) for value in self.targets) if similarity else (),
        )


def open_labelled(
    name: str, model: ResolvedModel, variant: VariantRef, pipeline: str, worker: Worker, deadline_s: float
) -> LabelledData:
    """Open the data called `name` in `worker`, for `model` at `variant`; `pipeline` empty is the model's own.

    Raises InputError for data that cannot be read or do not fit the model.
    """
    from suites.datasets.opening import find_data
    from suites.datasets.vocabulary import vocabulary_of
    from suites.errors import ModelError

    source = model.source
    try:
        path = find_data(name)
    except ModelError as error:
        raise InputError(f"--data {name}: {error.message}", error.hint) from None
    vocabulary = vocabulary_of(source.onnx_path, builtin=model.ref.source == "builtin")
    variant = _whole_variant(model, variant)
    arguments = {
        "path": str(path),
        "model": source.name,
        "inputs": [spec.to_json() for spec in source.inputs],
        "outputs": [spec.to_json() for spec in source.outputs],
        "dims": dict(variant.dims),
        "batch": variant.batch,
        "pipeline": pipeline or _own_pipeline(model),
        "vocabulary": None if vocabulary is None else str(vocabulary),
    }
    try:
        told, arrays = ask_job(
            worker,
            "suites.datasets.job:describe",
            arguments,
            deadline_s=deadline_s,
            phase="opening the data",
        )
    except WorkerFailure as failure:
        raise _data_error(failure, name) from None
    return LabelledData(name, variant, arguments, worker, deadline_s, told, np.array(arrays["targets"]))


def _whole_variant(model: ResolvedModel, variant: VariantRef) -> VariantRef:
    """With the batch that the model fixes, and a size for each dynamic dimension."""
    from suites.catalogue import BUILTINS

    specs = model.source.inputs
    fixed = [spec.shape[0] for spec in specs if spec.shape and isinstance(spec.shape[0], int)]
    own = BUILTINS[model.ref.name].dims if model.ref.source == "builtin" else {}
    dims = {name: min(USUAL_LENGTH, most) for name, most in model.limits.items()}
    dims = {**dims, **own, **variant.dims}
    return variant.model_copy(update={"batch": fixed[0] if fixed else variant.batch, "dims": dims})


def _own_pipeline(model: ResolvedModel) -> str:
    from suites.catalogue import BUILTINS
    from suites.datasets.pipelines import fitting_pipeline

    if model.ref.source == "builtin":
        return BUILTINS[model.ref.name].pipeline
    return fitting_pipeline(model.source.inputs, model.source.outputs)


def _data_error(failure: WorkerFailure, name: str) -> InputError:
    message = failure.message
    return InputError(message if name in message else f"--data {name}: {message}", failure.hint)
