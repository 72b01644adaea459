"""Seeded input sets and a user's own inputs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backends.contract import TensorSpec
from suites.errors import ModelError
from suites.inputs import load_npz, make_inputs, non_finite, parse_set, sha256_of

IMAGE = TensorSpec("image", "float32", ("batch", 3, 32, 32))
TOKENS = TensorSpec("tokens", "int64", ("batch", "length"))
MASK = TensorSpec("mask", "bool", ("batch", "length"))
FIRST_NORMAL = [-2.276675676768135, -0.19256513578903894, -0.2827009734733849]


def test_normal_is_standard_normal() -> None:
    array = make_inputs([IMAGE], "normal:0", batch=8)["image"]
    assert array.shape == (8, 3, 32, 32)
    assert array.dtype == np.float32
    assert array.flags.c_contiguous
    assert array.mean() == pytest.approx(0, abs=0.03)
    assert array.std() == pytest.approx(1, abs=0.03)
    assert array.min() < -3


def test_uniform_is_from_0_to_1_or_the_given_range() -> None:
    plain = make_inputs([IMAGE], "uniform:0")["image"]
    assert (plain.min() >= 0, plain.max() <= 1) == (True, True)
    assert plain.mean() == pytest.approx(0.5, abs=0.03)
    wide = make_inputs([IMAGE], "uniform:0", ranges={"image": (-2, 6)})["image"]
    assert (wide.min() < -1.9, wide.max() > 5.9) == (True, True)
    assert wide.mean() == pytest.approx(2, abs=0.2)


@pytest.mark.parametrize(("set_name", "value"), [("zeros", 0), ("ones", 1)])
def test_constants(set_name: str, value: int) -> None:
    arrays = make_inputs([IMAGE, TOKENS, MASK], set_name, dims={"length": 4})
    assert [array.dtype.name for array in arrays.values()] == ["float32", "int64", "bool"]
    assert all((array == value).all() for array in arrays.values())


def test_constants_stay_in_an_integers_range() -> None:
    ranges = {"tokens": (5, 9)}
    assert (make_inputs([TOKENS], "zeros", dims={"length": 4}, ranges=ranges)["tokens"] == 5).all()
    assert (
        make_inputs([TOKENS], "ones", dims={"length": 4}, ranges={"tokens": (-3, 1)})["tokens"] == 0
    ).all()


def test_the_seed_decides() -> None:
    one, again, other = (make_inputs([IMAGE], name)["image"] for name in ("normal:1", "normal:1", "normal:2"))
    assert np.array_equal(one, again)
    assert abs(np.corrcoef(one.ravel(), other.ravel())[0, 1]) < 0.1


def test_values_are_the_same_on_every_machine() -> None:
    first = make_inputs([TensorSpec("x", "float64", (3,))], "normal:0")["x"]
    assert first == pytest.approx(FIRST_NORMAL, rel=1e-15)


def test_a_tensors_values_do_not_depend_on_the_others() -> None:
    twin = TensorSpec("twin", "float32", IMAGE.shape)
    alone = make_inputs([IMAGE], "normal:0")["image"]
    both = make_inputs([twin, IMAGE], "normal:0")
    assert np.array_equal(alone, both["image"])
    assert abs(np.corrcoef(alone.ravel(), both["twin"].ravel())[0, 1]) < 0.1


@pytest.mark.parametrize("kind", ["normal:0", "uniform:0"])
def test_integers_are_drawn_from_their_range(kind: str) -> None:
    dims = {"length": 500}
    plain = make_inputs([TOKENS], kind, 2, dims)["tokens"]
    assert plain.dtype == np.int64
    assert set(np.unique(plain)) == {0, 1}
    ranged = make_inputs([TOKENS], kind, 2, dims, {"tokens": (10, 14)})["tokens"]
    assert set(np.unique(ranged)) == {10, 11, 12, 13}
    coins = make_inputs([MASK], kind, 2, dims)["mask"]
    assert coins.dtype == bool
    assert 0.4 < coins.mean() < 0.6


def test_the_seeded_kinds_draw_different_integers() -> None:
    sets = [
        make_inputs([TOKENS], name, 2, {"length": 50}, {"tokens": (0, 1000)})["tokens"]
        for name in ("normal:0", "uniform:0", "sparse:0")
    ]
    filled = sets[2] != 0
    assert (sets[0] != sets[1]).mean() > 0.9
    assert all((one != sets[2])[filled].all() for one in sets[:2])


def test_sparse_is_mostly_zero() -> None:
    array = make_inputs([IMAGE], "sparse:0", batch=8)["image"]
    assert array.dtype == np.float32
    filled = array[array != 0]
    assert filled.size / array.size == pytest.approx(0.1, abs=0.01)
    assert filled.std() == pytest.approx(1, abs=0.05)
    assert not np.array_equal(array, make_inputs([IMAGE], "sparse:1", batch=8)["image"])


@pytest.mark.parametrize(("limits", "empty"), [((0, 1000), 0), ((-5, 5), 0), ((7, 1000), 7)])
def test_sparse_integers_stay_in_their_range(limits: tuple[int, int], empty: int) -> None:
    tokens = make_inputs([TOKENS], "sparse:0", 20, {"length": 50}, {"tokens": limits})["tokens"]
    assert (tokens == empty).mean() > 0.85
    assert (tokens.min() >= limits[0], tokens.max() < limits[1]) == (True, True)
    assert len(np.unique(tokens)) > 5


def test_extremes_are_large_in_even_entries_and_small_in_odd_ones() -> None:
    array = make_inputs([IMAGE], "extremes:0", batch=4)["image"]
    sizes = np.abs(array)
    for entry, (low, high) in enumerate([(2**7, 2**10), (2**-14, 2**-11)] * 2):
        assert (sizes[entry].min() >= low, sizes[entry].max() <= high) == (True, True)
        assert sizes[entry].max() / sizes[entry].min() > 7.9  # the whole span is used
    assert (array > 0).mean() == pytest.approx(0.5, abs=0.02)
    other = np.abs(make_inputs([IMAGE], "extremes:1", batch=2)["image"])
    assert (other[0].max() < 1, other[1].min() > 1) == (True, True)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_extremes_are_normal_numbers_whose_product_stays_finite(dtype: str) -> None:
    spec = TensorSpec("x", dtype, (2, 500))
    array = make_inputs([spec], "extremes:0")["x"]
    assert array.dtype == dtype
    assert np.abs(array).min() >= np.finfo(np.float16).smallest_normal
    assert np.abs(array).max() * 63 < np.finfo(np.float16).max
    with np.errstate(over="raise"):
        np.float32(np.abs(array).max()) ** 12
        np.sum(1 / np.abs(array).astype(np.float32))


def test_extremes_of_integers_are_the_ends_of_their_range() -> None:
    plain = make_inputs([TOKENS, MASK], "extremes:0", 20, {"length": 9})
    assert set(np.unique(plain["tokens"])) == {0, 1}
    assert set(np.unique(plain["mask"])) == {False, True}
    ranged = make_inputs([TOKENS], "extremes:3", 20, {"length": 9}, {"tokens": (5, 30522)})["tokens"]
    assert set(np.unique(ranged)) == {5, 30521}


def test_extremes_stay_in_a_floats_range() -> None:
    array = make_inputs([IMAGE], "extremes:0", batch=2, ranges={"image": (-1.0, 6.0)})["image"]
    assert (array.min(), array.max() <= 6, array[0].max() > 5.9) == (-1, True, True)


def test_extremes_of_a_scalar() -> None:
    for name, high in (("extremes:0", True), ("extremes:1", False)):
        array = make_inputs([TensorSpec("x", "float32", ())], name)["x"]
        assert array.shape == ()
        assert (abs(float(array)) > 1) is high


@pytest.mark.parametrize("name", ["pictures", "texts"])
def test_samples_need_a_pipeline(name: str) -> None:
    assert parse_set(name) == (name, 0)
    with pytest.raises(ModelError, match="is made by a model's pipeline"):
        make_inputs([IMAGE], name)


@pytest.mark.parametrize("dtype", ["int64", "int32", "bool"])
def test_an_attention_mask_pads_at_the_end(dtype: str) -> None:
    spec = TensorSpec("attention_mask", dtype, ("batch", "sequence"))

    def mask(name: str, sequence: int = 20) -> Any:
        array = make_inputs([spec], name, 50, {"sequence": sequence}, {"attention_mask": (0, 2)})[
            "attention_mask"
        ]
        assert array.dtype.name == dtype
        assert (np.diff(array.astype(int), axis=1) <= 0).all()
        return array.sum(axis=1)

    for name in ("normal:0", "uniform:0", "sparse:0"):
        assert set(mask(name)) == set(range(10, 21))
    assert list(mask("extremes:0")) == [20, 1] * 25
    assert not np.array_equal(mask("normal:0"), mask("uniform:0"))
    assert set(mask("ones")) == {20}
    assert set(mask("zeros")) == {1}
    assert set(mask("normal:0", sequence=1)) == {1}


def test_a_mask_of_another_kind_is_filled_like_any_input() -> None:
    square = TensorSpec("attention_mask", "float32", ("batch", 1, 4, 4))
    assert (make_inputs([square], "zeros")["attention_mask"] == 0).all()


@pytest.mark.parametrize("dtype", ["float16", "float64", "uint8", "int32"])
def test_every_dtype_comes_as_declared(dtype: str) -> None:
    array = make_inputs([TensorSpec("x", dtype, (2, 5))], "normal:0")["x"]
    assert (array.dtype.name, array.shape) == (dtype, (2, 5))


def test_scalars_are_arrays() -> None:
    for set_name in ("normal:0", "uniform:0", "ones"):
        array = make_inputs([TensorSpec("x", "float32", ())], set_name)["x"]
        assert isinstance(array, np.ndarray)
        assert array.shape == ()


def test_a_dimension_without_a_size_names_the_flag() -> None:
    with pytest.raises(ModelError, match="'tokens' has the dynamic dimension 'length'") as caught:
        make_inputs([TOKENS], "normal:0")
    assert caught.value.hint == "pass --dim length=SIZE"


def test_an_impossible_range_is_refused() -> None:
    with pytest.raises(ModelError, match="'tokens' cannot be from 4 up to 4"):
        make_inputs([TOKENS], "normal:0", dims={"length": 4}, ranges={"tokens": (4, 4)})


@pytest.mark.parametrize(
    "name",
    [
        "",
        "normal",
        "normal:",
        "normal:x",
        "normal:-1",
        "normal:1.5",
        "zeros:1",
        "gauss:0",
        "sparse",
        "texts:1",
    ],
)
def test_an_unknown_set_gets_the_list(name: str) -> None:
    with pytest.raises(ModelError, match="there is no input set") as caught:
        parse_set(name)
    assert repr(name) in caught.value.message
    every = "normal:SEED, uniform:SEED, sparse:SEED, extremes:SEED, zeros, ones, pictures, texts"
    assert every in caught.value.hint


def test_a_misspelt_set_gets_a_guess() -> None:
    with pytest.raises(ModelError) as caught:
        parse_set("norml:0")
    assert "did you mean 'normal:SEED'?" in caught.value.hint


def stored(path: Path, **arrays: Any) -> Path:
    np.savez(path, **arrays)
    return path


def good() -> dict[str, Any]:
    return {"tokens": np.zeros((2, 7), np.int64), "mask": np.ones((2, 7), bool)}


def test_own_inputs_are_loaded(tmp_path: Path) -> None:
    arrays = {**good(), "mask": np.asfortranarray(np.arange(14).reshape(2, 7) % 2 == 0)}
    loaded = load_npz(stored(tmp_path / "in.npz", **arrays), [TOKENS, MASK])
    assert list(loaded) == ["tokens", "mask"]
    assert np.array_equal(loaded["mask"], arrays["mask"])
    assert all(array.flags.c_contiguous for array in loaded.values())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"extra": np.zeros(1)}, "holds 'extra', which the model does not take"),
        ({"mask": None}, "has no array 'mask'"),
        ({"tokens": np.zeros((2, 7), np.int32)}, "'tokens' .* is int32, the model takes int64"),
        (
            {"tokens": np.zeros((2, 7, 1), np.int64)},
            r"has the shape \[2, 7, 1\], the model takes \[batch, length\]",
        ),
        ({"tokens": np.zeros((0, 7), np.int64)}, r"has the shape \[0, 7\]"),
        ({"mask": np.ones((2, 8), bool)}, "the dimension 'length' is 8 in 'mask' and 7 elsewhere"),
        ({"tokens": np.array([[{}]], dtype=object)}, "cannot read the array 'tokens'"),
    ],
    ids=["unknown", "missing", "dtype", "rank", "nothing", "sizes differ", "pickled"],
)
def test_own_inputs_that_do_not_fit(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    arrays = {name: array for name, array in {**good(), **change}.items() if array is not None}
    with pytest.raises(ModelError, match=message) as caught:
        load_npz(stored(tmp_path / "in.npz", **arrays), [TOKENS, MASK])
    assert "in.npz" in caught.value.message
    assert caught.value.hint


def test_a_fixed_dimension_must_fit(tmp_path: Path) -> None:
    path = stored(tmp_path / "in.npz", image=np.zeros((1, 4, 32, 32), np.float32))
    with pytest.raises(ModelError, match=r"\[1, 4, 32, 32\], the model takes \[batch, 3, 32, 32\]"):
        load_npz(path, [IMAGE])


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x03\x04cut"])
def test_a_file_that_is_no_npz(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "in.npz").write_bytes(content)
    with pytest.raises(ModelError, match=r"cannot read .*in\.npz"):
        load_npz(tmp_path / "in.npz", [TOKENS])


def test_a_single_array_is_no_npz(tmp_path: Path) -> None:
    np.save(tmp_path / "in.npy", np.zeros(3))
    with pytest.raises(ModelError, match="a single array without a name"):
        load_npz(tmp_path / "in.npy", [TOKENS])


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"there is no input file .*gone\.npz"):
        load_npz(tmp_path / "gone.npz", [TOKENS])


def test_non_finite_values_are_counted() -> None:
    arrays = {"a": np.array([1, np.nan, np.inf, -np.inf]), "b": np.zeros(3), "c": np.arange(3)}
    assert non_finite(arrays) == {"a": 3}


def test_the_hash_sees_names_dtypes_shapes_and_bytes() -> None:
    base = {"a": np.arange(6, dtype=np.int32), "b": np.zeros(2, np.float32)}
    variants: list[dict[str, Any]] = [
        base,
        {"a": base["a"], "c": base["b"]},
        {"a": base["a"].astype(np.int64), "b": base["b"]},
        {"a": base["a"].view(np.float32), "b": base["b"]},
        {"a": base["a"].reshape(2, 3), "b": base["b"]},
        {"a": base["a"], "b": -base["b"]},
        {"a": base["a"]},
    ]
    assert len({sha256_of(arrays) for arrays in variants}) == len(variants)


def test_the_hash_does_not_see_layout_or_order() -> None:
    array = np.arange(6, dtype=np.float64).reshape(2, 3)
    base = sha256_of({"a": array, "b": np.zeros(2)})
    assert sha256_of({"b": np.zeros(2), "a": np.asfortranarray(array)}) == base
    assert sha256_of({"a": array.astype(">f8"), "b": np.zeros(2)}) == base
