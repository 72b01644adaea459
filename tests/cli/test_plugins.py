"""A plug-in that does not load, or an engine that is not here, is told with its reason; the others are measured."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.command import QUICK, Ended, Harness, control_characters
from tests.cli.plugins import ENGINE, make_plugin

BACKEND = """
from backends.base import Backend
class Engine(Backend):
    name = "mine"
"""

BROKEN = {
    "import-error": ("import a_module_that_is_not_there", "No module named 'a_module_that_is_not_there'"),
    "syntax-error": ("class Engine(:\n", "SyntaxError"),
    "raises": ("raise RuntimeError('wrong licence')", "RuntimeError: wrong licence"),
    "leaves": ("import sys; sys.exit('goodbye')", "goodbye"),
    "kills": ("import os; os._exit(5)", "exit code 5"),
    "no-class": ("Other = 1", "has no attribute 'Engine'"),
    "no-backend": ("class Engine: pass", "is not a subclass of backends.base.Backend"),
    "abstract": (BACKEND, "abstract"),
    "prints": ("print('\\x1b[31mhello' * 1000); import a_module_that_is_not_there", "No module named"),
}


@pytest.fixture(scope="module")
def all_broken(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> tuple[Ended, Harness]:
    """One comparison with every broken plug-in, each from a distribution of its own, and an engine that works."""
    folder = tmp_path_factory.mktemp("broken")
    plugins = tuple(
        make_plugin(folder / kind, f"broken-{kind}", module, {kind: "Engine"})
        for kind, (module, _) in BROKEN.items()
    )
    harness = Harness(folder, cache, plugins)
    return harness("compare", *BROKEN, "ort", *QUICK), harness


@pytest.mark.parametrize("kind", BROKEN)
def test_a_plugin_that_does_not_load_is_named(kind: str, all_broken: tuple[Ended, Harness]) -> None:
    done, harness = all_broken
    words = BROKEN[kind][1]
    result = harness.results()[kind]
    assert result.failure is not None and words in result.failure.message
    assert f"{kind}: {result.status} in import: {result.failure.message}" in done
    assert result.status == {"leaves": "failed", "kills": "crashed"}.get(kind, "unavailable")
    if kind not in ("leaves", "kills"):
        assert f"(broken-{kind})" in result.failure.message, "the distribution to uninstall is not named"


def test_the_others_are_measured_beside_broken_plugins(all_broken: tuple[Ended, Harness]) -> None:
    done, harness = all_broken
    assert done.code == 1
    assert harness.results()["ort"].status == "measured"
    assert not control_characters(done.out + done.err)


def test_one_name_registered_by_two_distributions(harness: Harness, tmp_path: Path, engines: Path) -> None:
    for name in ("first-brand", "second-brand"):
        make_plugin(tmp_path / name, name, BACKEND, {"mine": "Engine"})
    harness.plugins = (tmp_path / "first-brand", tmp_path / "second-brand", engines)
    done = harness("compare", "mine", "honest", *QUICK)
    assert done.code == 1
    assert "backend 'mine' is registered twice" in done
    assert "(first-brand)" in done and "(second-brand)" in done
    assert "uninstall one of them" in done
    assert harness.results()["honest"].status == "measured"


def test_a_plugin_cannot_take_over_a_name_of_ours(harness: Harness, tmp_path: Path, engines: Path) -> None:
    harness.plugins = (make_plugin(tmp_path / "p", "pirate", BACKEND, {"ort": "Engine"}), engines)
    done = harness("compare", "ort", "honest", *QUICK)
    assert done.code == 1
    assert "backend 'ort' is registered twice" in done and "(pirate)" in done
    assert harness.results()["ort"].status == "unavailable"


@pytest.mark.parametrize("text", ["no section at all\n", "[harness.backends]\nmine = ???\n"])
def test_metadata_that_nobody_can_read_stops_nobody(text: str, harness: Harness, tmp_path: Path) -> None:
    folder = make_plugin(tmp_path / "plugin", "unreadable", BACKEND, {"mine": "Engine"})
    (folder / "unreadable-1.0.dist-info" / "entry_points.txt").write_text(text)
    harness.plugins += (folder,)
    done = harness("compare", "honest", *QUICK)
    assert done.code == 0, done.text


def test_list_shows_broken_plugins_with_their_reason(harness: Harness, tmp_path: Path) -> None:
    classes = {"absent": "Absent", "raises-in-probe": "RaisesInProbe", "honest": "Honest"}
    harness.plugins = (
        make_plugin(tmp_path / "broken", "broken", BROKEN["import-error"][0], {"mine": "Engine"}),
        make_plugin(tmp_path / "engines", "some-engines", ENGINE, classes),
    )
    done = harness("list", "backends", "--json", "list.json")
    assert done.code == 0
    rows = {row["backend"]: row for row in harness.json("list.json")}
    assert rows["mine"]["status"] == "missing"
    assert "a_module_that_is_not_there" in rows["mine"]["note"]
    assert rows["raises-in-probe"]["status"] == "missing"
    assert "the licence server said no" in rows["raises-in-probe"]["note"]
    assert rows["absent"]["note"] == (
        "absent: libfrob.so.3 is not here; the engine installs with: pip install frob"
    )
    assert rows["honest"] == rows["honest"] | {"status": "available", "version": "1.0"}
    assert rows["ort"]["status"] == "available"
    assert rows["trt"]["status"] == "missing"
    assert "pip install tensorrt" in rows["trt"]["note"]


UNFIT = {
    "trt": "pip install tensorrt",
    "tensorrt@fp16": "this release has no adapter for 'trt'",
    "orrt": "unknown backend 'orrt'; did you mean 'ort'?",
    "frobnicator": "unknown backend 'frobnicator'",
    "ort:cuda": "ort:cuda cannot run here",
    "ort:warp": "has no flavour 'warp'",
    "ort==0.0.1": "0.0.1 was asked for",
    "ort?frobs=3": "has no option 'frobs'",
    "ort@int8": "does not run int8",
}


@pytest.fixture(scope="module")
def all_unfit(tmp_path_factory: pytest.TempPathFactory, cache: Path, engines: Path) -> tuple[Ended, Harness]:
    harness = Harness(tmp_path_factory.mktemp("unfit"), cache, (engines,))
    return harness("compare", *UNFIT, "honest", *QUICK), harness


@pytest.mark.parametrize("contender", UNFIT)
def test_a_contender_that_cannot_take_part_says_why(contender: str, all_unfit: tuple[Ended, Harness]) -> None:
    done, harness = all_unfit
    text = contender.replace("tensorrt", "trt")
    result = harness.results()[text]
    assert result.status in ("unavailable", "unsupported")
    assert result.failure is not None and UNFIT[contender] in result.failure.message
    assert f"{text}: {result.status} in {result.failure.phase}: {result.failure.message}" in done


def test_the_others_are_measured_beside_those_that_cannot_take_part(all_unfit: tuple[Ended, Harness]) -> None:
    done, harness = all_unfit
    assert done.code == 1
    assert harness.results()["honest"].status == "measured"


def test_one_missing_engine_is_exit_code_1(harness: Harness) -> None:
    done = harness("compare", "trt", "honest", *QUICK)
    assert done.code == 1
    assert "Only honest could be measured" in done and "pip install tensorrt" in done


def test_nothing_but_missing_engines_is_exit_code_3(harness: Harness) -> None:
    done = harness("compare", "trt", "orrt", *QUICK)
    assert done.code == 3
    assert "Nothing could be measured." in done


def test_an_engine_whose_package_is_broken_has_a_reason(
    harness: Harness, tmp_path: Path, engines: Path
) -> None:
    shadow = tmp_path / "shadow"
    shadow.mkdir()
    (shadow / "openvino.py").write_text(
        "raise ImportError('libopenvino.so.2640: cannot open shared object file')"
    )
    harness.plugins = (shadow, engines)
    done = harness("compare", "openvino", "honest", *QUICK)
    assert done.code == 1
    assert "libopenvino.so.2640" in done
    assert "pip install openvino" in done
    assert harness.results()["openvino"].status == "unavailable"
