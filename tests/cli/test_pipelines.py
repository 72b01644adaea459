"""`harness compare` over the whole request path: stages, pipelines, bad items, and what an engine really ran with."""

from __future__ import annotations

import pytest

from tests.cli.command import Harness

FAST = (
    *("--budget", "2s", "--max-trials", "1", "--threads", "1"),
    *("--warmup-max", "100ms", "--input-set", "normal:0", "--json", "record.json"),
)


def test_a_text_goes_through_all_stages(harness: Harness) -> None:
    done = harness("compare", "ort", "openvino", "--model", "tiny-encoder", *FAST)
    assert done.code == 0, done.text
    assert "preprocess by tokenizers" in done
    for result in harness.results().values():
        (trial,) = result.trials
        assert trial.stages is not None and trial.resources is not None
        stages = {entry.stage: entry for entry in trial.stages.stages}
        assert all(entry.samples_ns and min(entry.samples_ns) > 0 for entry in stages.values())
        assert stages["preprocess"].implementation.startswith("tokenizers")
        assert trial.stages.items == ("bread.txt", "harbour.txt", "clocks.txt")
        assert {(entry.direction, entry.path) for entry in trial.stages.transfers} == {
            (direction, path) for direction in ("upload", "download") for path in ("zero_copy", "copy")
        }
        assert trial.resources.calls > 0 and trial.resources.memory_steady
        assert trial.resources.reasons["device_memory"] == "it runs on the CPU"
        assert result.effective["threads"] == 1
        assert result.effective["malloc"] and result.effective["process_threads"] >= 1
        assert result.work is not None and result.work.macs == 3_407_872


def test_a_picture_that_is_none_is_left_out_and_the_run_goes_on(harness: Harness) -> None:
    (harness.folder / "broken.jpg").write_bytes(b"\xff\xd8\xff not a picture")
    from suites.pipelines.catalogue import PIPELINES

    good = str(PIPELINES["detect"].samples[0])
    flags = ("--item", "broken.jpg", "--item", good, "--pipeline", "detect:opencv")
    done = harness("compare", "ort", "--model", "tiny-detector", *FAST, *flags)
    assert done.code == 0, done.text
    assert "1 of 2 items could not be preprocessed: broken.jpg" in done
    (trial,) = harness.results()["ort"].trials
    assert trial.stages is not None
    assert trial.stages.items == ("coffee.jpg",)
    assert "opencv" in {entry.stage: entry.implementation for entry in trial.stages.stages}["preprocess"]


def test_only_broken_items_leave_the_other_stages(harness: Harness) -> None:
    (harness.folder / "empty.jpg").touch()
    done = harness("compare", "ort", "--model", "tiny-detector", *FAST, "--item", "empty.jpg")
    assert done.code == 0, done.text
    assert "The preprocess step did not work" in done
    (trial,) = harness.results()["ort"].trials
    assert trial.stages is not None
    stages = {entry.stage: entry for entry in trial.stages.stages}
    assert "empty.jpg" in stages["preprocess"].reason and not stages["preprocess"].samples_ns
    assert stages["infer"].samples_ns


def test_without_a_pipeline_two_stages_are_not_there(harness: Harness) -> None:
    done = harness("compare", "ort", "--model", "tiny-detector", *FAST, "--pipeline", "none")
    assert done.code == 0, done.text
    assert "n/a: preprocess, postprocess of ort: the model has no such step" in done


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (("--pipeline", "classfy"), ("--pipeline classfy", "did you mean 'classify'")),
        (("--pipeline", "detect:gimp"), ("no implementation 'gimp'", "pillow, opencv")),
        (("--item", "nowhere.jpg"), ("--item nowhere.jpg", "no such file")),
        (("--pipeline", "none", "--item", "x.jpg"), ("--item x.jpg", "no pipeline")),
    ],
)
def test_what_cannot_be_is_refused_before_measuring(
    harness: Harness, flags: tuple[str, ...], words: tuple[str, ...]
) -> None:
    done = harness("compare", "ort", "--model", "tiny-detector", *FAST, *flags)
    assert done.code == 2, done.text
    assert all(word in done for word in words), done.text
    assert "Traceback" not in done


def test_throughput_end_to_end_overlaps_whole_requests(harness: Harness) -> None:
    flags = ("--end-to-end", "--concurrency", "1,2", "--threads", "1", "--min-trials", "1")
    done = harness("throughput", "ort", "--model", "tiny-encoder", *FAST, *flags)
    assert done.code == 0, done.text
    record = harness.json("record.json")
    assert {result["case"]["load"]["pipeline"] for result in record["results"]} == {"own"}
    assert all(point["parity"] == "pass" for curve in record["curves"] for point in curve["points"])
    refused = harness("throughput", "ort", "--model", "tiny-encoder", *FAST, *flags, "--pipeline", "none")
    assert refused.code == 2 and "tiny-encoder has no pre- and post-processing" in refused
    queued = harness("throughput", "openvino", "--model", "tiny-encoder", *FAST, *flags, "--way", "queue")
    assert queued.code == 2 and "--way queue" in queued
