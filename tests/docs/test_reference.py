"""The generated reference is what the program says today, and real records fit the published schema."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest

from harness.cli.documents import document_from_results
from harness.cli.main import COMMANDS
from tests.factories import make_result, make_run

ROOT = Path(__file__).parent.parent.parent
REFERENCE = ROOT / "docs" / "reference"


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("reference")
    subprocess.run([sys.executable, "-P", "ci/generate_docs.py", str(folder)], cwd=ROOT, check=True)
    return folder


GENERATED = (
    "cli.md",
    "comparison.schema.json",
    "throughput.schema.json",
    "profile.schema.json",
    "parity.schema.json",
    "conformance.schema.json",
    "suite.schema.json",
)


@pytest.mark.parametrize("name", GENERATED)
def test_generated_pages_are_up_to_date(fresh: Path, name: str) -> None:
    assert (REFERENCE / name).read_text() == (fresh / name).read_text(), "run `make docs`"


def test_every_command_is_documented_with_examples() -> None:
    text = (REFERENCE / "cli.md").read_text()
    for name in COMMANDS:
        section = text.split(f"## harness {name}\n")[1].split("\n## ")[0]
        assert "Examples:" in section, name
        assert f"harness {name}" in section.split("Examples:")[1]


def test_a_record_fits_the_published_schema() -> None:
    schema = json.loads((REFERENCE / "comparison.schema.json").read_text())
    run = make_run()
    document = document_from_results(run, [make_result(run_id=run.id)], 0)
    record = json.loads(document.model_dump_json())
    jsonschema.validate(record, schema, cls=jsonschema.Draft202012Validator)
    record["results"][0]["status"] = "fine"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(record, schema, cls=jsonschema.Draft202012Validator)


def pages() -> list[Path]:
    return [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text()):
        if not target.startswith(("http://", "https://")):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_every_decision_is_listed() -> None:
    listed = (ROOT / "docs" / "decisions" / "README.md").read_text()
    for page in (ROOT / "docs" / "decisions").glob("0*.md"):
        assert page.name in listed
