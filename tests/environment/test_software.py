"""Packages, repository, variables; and secrets kept out of all of them."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from harness.environment.masking import mask, mask_command
from harness.environment.repository import Repository, parse, repository
from harness.environment.software import environment, packages, variables


def git(folder: Path, *words: str) -> str:
    identity = (
        "-c",
        "user.name=Someone",
        "-c",
        "user.email=someone@example.org",
        "-c",
        "init.defaultBranch=main",
    )
    done = subprocess.run(("git", *identity, *words), cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A repository with one commit of one file."""
    git(tmp_path, "init", "--quiet", "--initial-branch=main")
    (tmp_path / "file").write_text("content")
    git(tmp_path, "add", "file")
    git(tmp_path, "commit", "--quiet", "-m", "Begin")
    return tmp_path


def test_versions_without_importing_anything() -> None:
    names = "'numpy', 'torch', 'onnx', 'onnxruntime', 'openvino'"
    script = (
        "import json, sys; from harness.environment.software import packages; found = packages(); "
        f"print(json.dumps([found, [name for name in ({names}) if name in sys.modules]]))"
    )
    done = subprocess.run((sys.executable, "-c", script), check=True, capture_output=True, text=True)
    import json

    found, imported = json.loads(done.stdout)
    assert imported == []
    assert found["numpy"] == metadata.version("numpy")
    assert found["onnxruntime"] == metadata.version("onnxruntime")


def test_packages_that_change_nothing_are_left_out() -> None:
    assert "pytest" not in packages()


def test_distributions_of_adapters_are_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "some_adapter-4.5.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: some-adapter\nVersion: 4.5\n")
    (folder / "entry_points.txt").write_text("[harness.backends]\nsome = some:Adapter\n")
    damaged = tmp_path / "damaged-1.dist-info"
    damaged.mkdir()
    monkeypatch.syspath_prepend(str(tmp_path))
    assert packages()["some-adapter"] == "4.5"


def test_clean_checkout(checkout: Path) -> None:
    found = repository(checkout)
    assert found == Repository(git(checkout, "rev-parse", "HEAD"), "main", False)


def test_changed_checkout(checkout: Path) -> None:
    (checkout / "file").write_text("changed")
    assert repository(checkout).dirty is True


def test_untracked_files_do_not_count(checkout: Path) -> None:
    (checkout / "result.json").write_text("{}")
    assert repository(checkout).dirty is False


def test_folder_inside_a_checkout(checkout: Path) -> None:
    (checkout / "below").mkdir()
    assert repository(checkout / "below").commit == git(checkout, "rev-parse", "HEAD")


def test_detached_head_has_a_commit_and_no_branch(checkout: Path) -> None:
    git(checkout, "checkout", "--quiet", "--detach")
    found = repository(checkout)
    assert found.commit is not None
    assert found.branch is None


def test_repository_without_a_commit(tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet")
    assert repository(tmp_path).commit is None


def test_no_repository(tmp_path: Path) -> None:
    assert repository(tmp_path) == Repository(None, None, None)


def test_missing_git(checkout: Path) -> None:
    assert repository(checkout, "no-such-command-anywhere") == Repository()


def test_missing_folder(tmp_path: Path) -> None:
    assert repository(tmp_path / "gone") == Repository()


def test_hanging_git(checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    command = tmp_path / "slow-git"
    command.write_text("#!/bin/sh\nexec sleep 600\n")
    command.chmod(0o755)
    monkeypatch.setattr("harness.environment.repository.LIMIT_S", 0.2)
    assert repository(checkout, str(command)) == Repository()


def test_the_index_is_left_alone(checkout: Path) -> None:
    # A touched file makes a plain `git status` rewrite the index.
    os.utime(checkout / "file", (1, 1))
    before = (checkout / ".git" / "index").read_bytes()
    repository(checkout)
    assert (checkout / ".git" / "index").read_bytes() == before


def test_an_empty_answer_is_not_clean() -> None:
    assert parse("") == Repository(None, None, None)


def test_variables_that_engines_read() -> None:
    source = {
        "OMP_NUM_THREADS": "2",
        "MKL_DEBUG_CPU_TYPE": "5",
        "KMP_AFFINITY": "granularity=fine,compact",
        "OPENBLAS_NUM_THREADS": "1",
        "ORT_LOG": "1",
        "OV_CACHE": "x",
        "OPENVINO_LOG_LEVEL": "1",
        "CUDA_VISIBLE_DEVICES": "0",
        "TORCH_COMPILE_DEBUG": "1",
        "TF_ENABLE_ONEDNN_OPTS": "0",
        "MALLOC_ARENA_MAX": "2",
        "LD_PRELOAD": "libjemalloc.so",
    }
    others = {"HOME": "/home/x", "PATH": "/bin", "PYTHONPATH": "/x", "TF_VAR_database": "hidden"}
    assert variables(source | others) == source


@pytest.mark.parametrize(
    "name",
    [
        "TORCH_HUB_TOKEN",
        "OPENVINO_API_KEY",
        "CUDA_SECRET",
        "ORT_PASSWORD",
        "TORCH_AWS_ACCESS_KEY_ID",
        "OV_PWD",
    ],
)
def test_secret_variables_are_left_out(name: str) -> None:
    assert variables({name: "hidden"}) == {}


def test_values_of_variables_are_masked() -> None:
    found = variables({"TORCH_HOME": "https://someone:hidden@example.org/x"})
    assert found == {"TORCH_HOME": "https://someone:***@example.org/x"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("postgresql://user:hidden@host/db", "postgresql://user:***@host/db"),
        ("postgresql+psycopg://user:hi/dd@en@host/db", "postgresql+psycopg://user:***@host/db"),
        ("redis://:hidden@host", "redis://:***@host"),
        (
            "postgresql:///db?user=me&password=hidden&sslmode=on",
            "postgresql:///db?user=me&password=***&sslmode=on",
        ),
        ("--api-token=hidden", "--api-token=***"),
        ("postgresql://user@host:5432/db", "postgresql://user@host:5432/db"),
        ("sqlite:///folder/results.db", "sqlite:///folder/results.db"),
        ("ort?intra_op_num_threads=1", "ort?intra_op_num_threads=1"),
        ("--model=author/net", "--model=author/net"),
    ],
)
def test_mask(text: str, expected: str) -> None:
    assert mask(text) == expected


def test_the_word_after_a_secret_option_is_masked() -> None:
    command = ("harness", "run", "--token", "hidden", "--db", "postgresql://u:hidden@h/d", "--quiet")
    assert mask_command(command) == (
        "harness",
        "run",
        "--token",
        "***",
        "--db",
        "postgresql://u:***@h/d",
        "--quiet",
    )


def test_environment(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    found = environment(["harness", "compare", "--db", "postgresql://u:hidden@h/d"], checkout)
    assert found.python == ".".join(map(str, sys.version_info[:3]))
    assert found.harness
    assert found.commit == git(checkout, "rev-parse", "HEAD")
    assert found.variables["OMP_NUM_THREADS"] == "3"
    assert "hidden" not in found.model_dump_json()
    assert found.command[:2] == ("harness", "compare")
