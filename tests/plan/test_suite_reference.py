"""The published reference of suite files says what the code does."""

from __future__ import annotations

import re
from pathlib import Path

import jsonschema
import pytest
import yaml

from harness.plan.cases import plan_suite
from harness.plan.suite_file import load_suite, shipped_suites
from harness.plan.suite_schema import (
    GateEntry,
    SettingsEntry,
    SuiteEntry,
    suite_json_schema,
    suite_schema_text,
)

REFERENCE = Path(__file__).parents[2] / "docs" / "reference"
PAGE = (REFERENCE / "suites.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```yaml\n(.*?)^```", PAGE, flags=re.MULTILINE | re.DOTALL)


def test_there_are_examples():
    assert len(BLOCKS) >= 4


@pytest.mark.parametrize("block", BLOCKS)
def test_examples_load(block, tmp_path):
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "encoder.onnx").write_bytes(b"x")
    path = tmp_path / "example.yaml"
    path.write_text(block, encoding="utf-8")
    assert plan_suite(load_suite(path), 2).groups


@pytest.mark.parametrize("block", BLOCKS)
def test_examples_fit_the_schema(block):
    jsonschema.validate(yaml.safe_load(block), suite_json_schema())


def test_published_schema_is_the_generated_one():
    published = (REFERENCE / "suite.schema.json").read_text(encoding="utf-8")
    assert published == suite_schema_text(), (
        "run: python -m harness.plan.suite_schema > docs/reference/suite.schema.json"
    )


def test_schema_is_a_schema_and_takes_the_shipped_suites():
    schema = suite_json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    for suite in shipped_suites():
        jsonschema.validate(yaml.safe_load(suite.path.read_text()), schema)


@pytest.mark.parametrize(
    "text",
    [
        "{schema: 2, name: a, models: [x], contenders: [ort]}",
        "{schema: 1, name: a, models: [x], contenders: [ort], extra: 1}",
        "{schema: 1, name: a, models: [x], contenders: [ort], settings: {budget: soon}}",
        "{schema: 1, name: a, models: [x], contenders: [ort], settings: {memory_limit: null}}",
        "{schema: 1, name: a, models: [x], contenders: [ort], gates: [{}]}",
        "{schema: 1, name: a, models: [x], contenders: [ort], gates: [{parity: pass, measured: all}]}",
    ],
)
def test_schema_refuses(text):
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(yaml.safe_load(text), suite_json_schema())


def test_every_key_has_its_place_on_the_page():
    for name, field in SuiteEntry.model_fields.items():
        assert f"### `{field.alias or name}`" in PAGE
    for name in (*SettingsEntry.model_fields, *GateEntry.model_fields):
        assert re.search(rf"\| `{name}[`:]", PAGE), name


def test_defaults_on_the_page_are_the_real_ones(tmp_path):
    rows = re.findall(r"^\| `(\w+)` \| `([^|]+)` \|", PAGE, flags=re.MULTILINE)
    assert {"margin", "budget", "trials", "inputs"} <= {name for name, _ in rows}
    written = "\n".join(f"  {name}: {value}" for name, value in rows)
    head = "schema: 1\nname: s\nmodels: [tiny-cnn]\ncontenders: [ort]\n"
    path = tmp_path / "s.yaml"
    path.write_text(head)
    plain = load_suite(path).settings
    path.write_text(f"{head}settings:\n{written}\n")
    assert plain.extension_s == 50.0
    assert load_suite(path).settings == plain.model_copy(update={"extension_s": 0.0})  # the budget is written
