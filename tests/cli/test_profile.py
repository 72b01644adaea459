"""`harness profile`: the table, files, exit codes, and what cannot be profiled."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper

from harness.judge.profile.document import ProfileDocument
from tests.cli.command import Harness

FAKE = "fake?time_us=1600"
SHORT = ("--model", "tiny-cnn", "--threads", "1", "--calls", "5")


def document(harness: Harness) -> ProfileDocument:
    return ProfileDocument.model_validate_json((harness.folder / "p.json").read_bytes())


def test_known_times_come_out_as_they_are(harness: Harness) -> None:
    done = harness("profile", FAKE, *SHORT, "--json", "p.json", "--trace", "traces")
    assert done.code == 0, done.text
    told = document(harness)
    (column,) = told.table.columns
    assert column.layers_s == pytest.approx(0.0016)
    assert column.whole_s == pytest.approx(0.0016)
    # 23 nodes, of which 7 are Relu: fused where the node before it has no other reader.
    assert len(told.table.rows) == 16
    assert {round(row.cells[0].seconds, 9) for row in told.table.rows} == {0.0001}
    (profile,) = told.record.profiles
    assert len(profile.profiled_ns) == 5
    assert len(profile.unprofiled_ns) == 10
    assert min(profile.unprofiled_ns) >= 1_600_000
    assert "sum of layers 1.60 ms" in done
    assert f"Raw traces: {harness.folder / 'traces'}" in done


def test_real_engines_side_by_side(harness: Harness) -> None:
    done = harness("profile", "ort", "openvino", "torch", *SHORT, "--json", "p.json", "--html", "p.html",
                   "--trace", "traces", timeout=300)  # fmt: skip
    assert done.code == 0, done.text
    told = document(harness)
    rows = {row.name: row for row in told.table.rows}
    assert rows["relu_2"].operators == "Conv+Add+Relu"
    assert all(cell.ran for cell in rows["relu_2"].cells)
    assert [len(rows["relu_2"].cells[place].layers) for place in range(3)] == [1, 1, 4]
    for place, column in enumerate(told.table.columns):
        matched = sum(row.cells[place].seconds for row in told.table.rows)
        assert matched + column.unmatched.seconds == pytest.approx(column.layers_s)
    for profile in told.record.profiles:
        assert profile.traces
        assert all(Path(path).is_file() for path in profile.traces)
    assert "torch" in (harness.folder / "p.html").read_text(encoding="utf-8")


def test_one_that_fails_does_not_stop_the_others(harness: Harness) -> None:
    contenders = ("fake?fault=raise_profile", "openvino:auto", "nosuch", "fake?fault=segfault", FAKE)
    done = harness("profile", *contenders, *SHORT, "--json", "p.json", "--trace", "traces")
    assert done.code == 1
    assert [profile.status for profile in document(harness).record.profiles] == [
        "failed", "unsupported", "unavailable", "crashed", "measured",
    ]  # fmt: skip
    assert "fake?fault=raise_profile: failed in profile: the fake engine was told to fail in profile" in done
    assert "openvino:auto: unsupported in profile: openvino cannot be profiled by layer" in done
    assert "sum of layers 1.60 ms" in done
    # Those that left nothing leave no folder either.
    assert [path.name for path in (harness.folder / "traces").iterdir()] == ["5-fake-time_us-1600"]


def test_nothing_profiled(harness: Harness) -> None:
    done = harness("profile", "nosuch", *SHORT, "--trace", "traces", "--html", "p.html")
    assert done.code == 3
    assert not (harness.folder / "traces").exists()
    assert "No contender could be profiled" in (harness.folder / "p.html").read_text(encoding="utf-8")


def test_traces_go_below_the_data_folder(harness: Harness) -> None:
    harness.variables["XDG_DATA_HOME"] = str(harness.folder / "data")
    for _ in range(2):
        assert harness("profile", FAKE, *SHORT, "--quiet").code == 0
    folders = list((harness.folder / "data" / "inference-harness" / "traces").iterdir())
    assert len(folders) == 2
    assert all(list(folder.rglob("fake.json")) for folder in folders)


def test_quiet_is_one_line_a_contender(harness: Harness) -> None:
    done = harness("profile", FAKE, FAKE, *SHORT, "--quiet", "--trace", "t")
    assert [line.partition(": layers")[0] for line in done.out.splitlines()] == [FAKE, f"{FAKE}#2"]
    assert done.err == ""


def test_top_leaves_rows_out_of_the_terminal_alone(harness: Harness) -> None:
    done = harness("profile", FAKE, *SHORT, "--top", "2", "--trace", "t", "--json", "p.json")
    assert "14 other rows 1.40 ms" in done
    assert len(document(harness).table.rows) == 16


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("profile", FAKE, "--model", "nosuch"), "there is no built-in model 'nosuch'"),
        (("profile", FAKE, *SHORT, "--dim", "x=1"), "--dim x=1: the model has no dynamic dimension"),
        (("profile", "ort@@", *SHORT), "contender 'ort@@'"),
        (("profile", FAKE, *SHORT, "--calls", "0"), "--calls"),
        (("profile", FAKE, *SHORT, "--json", "no/such/folder/p.json"), "cannot be written"),
        (("profile", FAKE, *SHORT, "--trace", "full"), "--trace full: the folder is not empty"),
        (("profile", FAKE, *SHORT, "--trace", "file/below"), "cannot be made"),
        (("profile", *SHORT), "CONTENDER"),
    ],
)
def test_bad_usage(arguments: tuple[str, ...], words: str, harness: Harness) -> None:
    (harness.folder / "full").mkdir()
    (harness.folder / "full" / "x").touch()
    (harness.folder / "file").touch()
    done = harness(*arguments)
    assert done.code == 2
    assert words in done


def test_a_model_with_control_flow(harness: Harness) -> None:
    """The If is one row, and what it holds is in it."""

    def value(name: str) -> onnx.ValueInfoProto:
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, [4])

    def arm(operator: str) -> onnx.GraphProto:
        return helper.make_graph(
            [helper.make_node(operator, ["s"], [operator])], operator, [], [value(operator)]
        )

    nodes = [
        helper.make_node("Abs", ["x"], ["s"]),
        helper.make_node("ReduceSum", ["x"], ["n"], keepdims=0),
        helper.make_node("Greater", ["n", "zero"], ["c"]),
        helper.make_node("If", ["c"], ["i"], then_branch=arm("Exp"), else_branch=arm("Tanh")),
        helper.make_node("Neg", ["i"], ["y"]),
    ]
    zero = helper.make_tensor("zero", TensorProto.FLOAT, [], [0.0])
    graph = helper.make_graph(nodes, "g", [value("x")], [value("y")], [zero])
    opset = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=8), harness.folder / "if.onnx")
    done = harness("profile", "ort", "--model", "if.onnx", "-t", "1", "--calls", "3", "--json", "p.json",
                   "--trace", "t")  # fmt: skip
    assert done.code == 0, done.text
    told = document(harness)
    node = next(node for node in told.record.graph.nodes if node.operator == "If")
    assert set(node.inputs) == {"c", "s"}  # what an arm reads is an input of the If
    assert [row.operators for row in told.table.rows if "If" in row.operators] == ["If"]
    assert not {layer.operator for layer in told.record.profiles[0].layers} & {"Exp", "Tanh"}
