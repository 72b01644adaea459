"""Which variants and inputs a parity check runs on: asked for, the default ones, or given in files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from backends.contract import Array
from harness.errors import InputError, StorageError
from harness.records import VariantRef
from harness.records.parity_check import InputSet, LeftOut
from harness.run.feeds import check_variant, open_to_batch, own_dims, own_pipeline, prepare_feeds
from harness.run.references import References
from harness.run.resolved import ResolvedModel
from suites.errors import ModelError
from suites.inputs import SAMPLES, sha256_of
from suites.saved_inputs import GivenSet, InputSaver, given_sets

DEFAULT_SETS = (
    "normal:0",
    "normal:1",
    "uniform:0",
    "sparse:0",
    "extremes:0",
    "extremes:1",
    "zeros",
    "ones",
)
"""And the samples that the model's pipeline takes, where it has one."""

SECOND_BATCH = 2
"""Where no batch is asked for, the first input set runs on a batch of two as well: with one entry nobody sees an
engine that repeats it."""


@dataclass(frozen=True)
class AskedInputs:
    """What the user asked for. No `sets` and no `given`: the default sets.

    No `batches`: those of the files, else 1 with all sets and `SECOND_BATCH` with the first, where the model takes it.
    """

    sets: tuple[str, ...]
    given: Path | None
    batches: tuple[int, ...]
    dims: Mapping[str, int]
    threads: int
    pipeline: str = ""


@dataclass
class VariantInputs:
    """The inputs of one variant by input set; `files` says where those came from that were given."""

    variant: VariantRef
    feeds: dict[str, Mapping[str, Array]]
    files: Mapping[str, str] = field(default_factory=dict)
    left_out: list[LeftOut] = field(default_factory=list)

    @property
    def hashes(self) -> dict[str, str]:
        """Input set -> hash of its arrays."""
        return {name: sha256_of(arrays) for name, arrays in self.feeds.items()}

    def records(self) -> tuple[InputSet, ...]:
        """As they go into the record."""
        return tuple(
            InputSet(
                name=name,
                sha256=sha256_of(arrays),
                shapes={key: array.shape for key, array in arrays.items()},
                file=self.files.get(name),
            )
            for name, arrays in self.feeds.items()
        )


class ParityInputs:
    """Makes the inputs of every variant. Raises InputError in all methods."""

    def __init__(self, asked: AskedInputs, model: ResolvedModel, reference: ResolvedModel) -> None:
        self._asked = asked
        # What a built-in reference knows of its inputs holds for a model that takes the same.
        self._model = replace(
            model, ranges=model.ranges or reference.ranges, limits=model.limits or reference.limits
        )
        self._reference = reference
        self._pipeline = asked.pipeline or own_pipeline(model.ref) or own_pipeline(reference.ref)
        self._given = self._read_given() if asked.given is not None else ()
        self._judged: tuple[str, ...] = ()
        self.variants = self._variants()

    def make(self, variant: VariantRef, only: Sequence[str] | None = None) -> VariantInputs:
        """The inputs of `variant`, of the input sets `only` where given."""
        if self._given:
            return self._load(variant, only)
        asked = self._asked
        default = not asked.sets
        made = VariantInputs(variant, {})
        names = only if only is not None else asked.sets or self._default_sets()
        if only is None and not asked.batches and variant.batch != 1:
            names = self._judged[:1] or names[:1]
        for name in names:
            try:
                made.feeds |= prepare_feeds(
                    self._model,
                    batch=variant.batch,
                    dims=variant.dims,
                    input_sets=(name,),
                    inputs=None,
                    pipeline=self._pipeline,
                )
            except InputError as error:
                # Nobody asked for the samples: a library that is not installed must not end the check.
                if not default or name not in SAMPLES:
                    raise
                made.left_out.append(LeftOut(name=name, reason=error.message))
        return made

    def leave_out_non_finite(self, inputs: VariantInputs, references: References) -> None:
        """Take out default sets on which the reference itself is not finite, unless that would leave none.

        Nothing can be right or wrong there: a logarithm of inputs below zero, an overflow of float32. What the user
        asked for stays, and comes out as unknown.
        """
        self._judged = tuple(inputs.feeds)
        if self._asked.sets or self._given or not references.by_set:
            return
        reasons = {
            name: reason
            for name, reference in references.by_set.items()
            if (reason := _not_finite(reference.right, reference.yardstick))
        }
        if len(reasons) == len(inputs.feeds):
            return
        for name, reason in reasons.items():
            del inputs.feeds[name], references.by_set[name]
            inputs.left_out.append(LeftOut(name=name, reason=reason))
        self._judged = tuple(inputs.feeds)

    def _default_sets(self) -> tuple[str, ...]:
        from suites.pipelines.catalogue import PIPELINES

        name = self._pipeline.partition(":")[0]
        return (*DEFAULT_SETS, PIPELINES[name].takes) if name in PIPELINES else DEFAULT_SETS

    def _variants(self) -> tuple[VariantRef, ...]:
        asked = self._asked
        if not self._given:
            dims = self._dims()
            default = (1, SECOND_BATCH) if open_to_batch(self._model.source.inputs, dims) else (1,)
            sizes = [(batch, dims) for batch in asked.batches or default]
        else:
            sizes = [
                (entry.batch, dict(entry.dims))
                for entry in self._given
                if not asked.batches or entry.batch in asked.batches
            ]
            there = sorted({entry.batch for entry in self._given})
            for batch in asked.batches:
                if batch not in there:
                    raise InputError(
                        f"--batch {batch}: --inputs {asked.given} holds inputs of batch {', '.join(map(str, there))}",
                        "give one of these, or leave --batch out to take all",
                    )
        variants = [VariantRef(batch=batch, threads=asked.threads, dims=dims) for batch, dims in sizes]
        unique = tuple(variant for place, variant in enumerate(variants) if variant not in variants[:place])
        for variant in unique:
            check_variant(self._model.source.inputs, variant.batch, variant.dims)
        return unique

    def _dims(self) -> dict[str, int]:
        """Sizes of dynamic dimensions: those asked for, else a built-in model's own where the model has such a one."""
        own = {**own_dims(self._reference.ref), **own_dims(self._model.ref)}
        named = {dim for spec in self._model.source.inputs for dim in spec.shape if isinstance(dim, str)}
        return dict(
            sorted({**{name: own[name] for name in own if name in named}, **self._asked.dims}.items())
        )

    def _read_given(self) -> tuple[GivenSet, ...]:
        assert self._asked.given is not None
        try:
            return given_sets(self._asked.given, self._model.source.inputs)
        except ModelError as error:
            raise InputError(f"--inputs {self._asked.given}: {error.message}", error.hint) from None

    def _load(self, variant: VariantRef, only: Sequence[str] | None) -> VariantInputs:
        chosen = [
            entry
            for entry in self._given
            if (entry.batch, dict(entry.dims)) == (variant.batch, variant.dims)
            and (only is None or entry.name in only)
        ]
        try:
            feeds = {entry.name: entry.load(self._model.source.inputs) for entry in chosen}
        except ModelError as error:
            raise InputError(f"--inputs {self._asked.given}: {error.message}", error.hint) from None
        return VariantInputs(variant, dict(feeds), {entry.name: str(entry.path) for entry in chosen})


def save_inputs(saver: InputSaver, inputs: VariantInputs) -> None:
    """Write all sets of a variant. Raises StorageError."""
    try:
        for name, arrays in inputs.feeds.items():
            saver.save(name, inputs.variant.batch, inputs.variant.dims, arrays)
    except OSError as error:
        raise StorageError(
            f"--save-inputs {saver.folder}: {error.strerror or error}", "name a folder that can be written to"
        ) from None


def _not_finite(*sides: Mapping[str, Array]) -> str:
    for words, arrays in zip(("float64", "float32"), sides, strict=True):
        for name, array in arrays.items():
            if array.dtype.kind in "fc" and not np.isfinite(array).all():
                return f"the reference itself is not finite in {words} there (output {name})"
    return ""
