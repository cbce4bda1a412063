import json
import struct
import zlib

import cv2
import numpy as np
import pytest
from test_train import SMALL, write_images
from typer.testing import CliRunner

from icsilib.cli import app
from icsilib.data.annotations import Dataset, Image, box_annotation, write_coco
from icsilib.data.splits import Split, write_split
from icsilib.data.structures import SPERM
from icsilib.detection import Detections, settings
from icsilib.files import sha256_of
from icsilib.study.provenance import read_results
from icsilib.training.checkpoints import load_checkpoint


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A small data set with a split, and a detector trained on it through the command line."""
    folder = tmp_path_factory.mktemp("cli")
    labelled = write_images(folder, 6)
    images = [
        Image(id=one.id, file_name=one.path.name, width=96, height=80, patient_id=f"p{one.id % 3}") for one in labelled
    ]
    boxes = [box_annotation(one.id, one.id, SPERM, box) for one in labelled for box in one.boxes]
    write_coco(Dataset(images=images, annotations=boxes, categories=[SPERM]), folder / "annotations.json")
    split = Split(by="patient_id", train=("p0",), validation=("p1",), test=("p2",))
    write_split(split, folder / "split.json")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(settings.PROFILES, "quick", SMALL)
        result = run("train", folder, "--out", folder / "run", "--steps", "2")
    assert result.exit_code == 0, result.output
    return folder


def run(*words):
    return CliRunner().invoke(app, ["detect", *map(str, words)])


def test_training_says_where_the_weights_are(trained):
    assert (trained / "run" / "weights.safetensors").exists()
    assert load_checkpoint(trained / "run" / "checkpoint.safetensors")["settings"]["steps"] == 2


def test_evaluation_prints_three_measures_with_intervals(trained):
    result = run("evaluate", trained, "--weights", trained / "run" / "weights.safetensors", "--part", "all")
    assert result.exit_code == 0, result.output
    assert "6 images of 3 patients or videos, 5 sperm" in result.output
    assert "AP at IoU 0.5" in result.output


def test_evaluation_writes_its_scores(trained, monkeypatch):
    out = trained / "scores.json"

    def perfect(detector, images, batch_size):
        return {one.id: Detections(one.boxes, np.ones(len(one.boxes))) for one in images}

    monkeypatch.setattr("icsilib.detection.train.detect_files", perfect)
    weights = trained / "run" / "weights.safetensors"
    result = run("evaluate", trained, "--weights", weights, "--results", out, "--origin", "our laboratory")
    assert result.exit_code == 0, result.output
    written = read_results(out)
    assert list(written.provenance.data) == ["our laboratory, test"]
    assert written.parameters == {"training": {}, "weights": sha256_of(weights)}
    values = written.values
    assert values["ap50"].data == "our laboratory"
    assert values["ap50"].value == values["ar100"].value == values["f1.matched"].value == 1.0
    assert values["recall_points"].value == 101


def test_one_patient_has_no_interval(trained):
    result = run("evaluate", trained, "--weights", trained / "run" / "weights.safetensors", "--part", "test")
    assert result.exit_code == 0, result.output
    assert "of 1 patients or videos" in result.output
    assert result.output.count("(no interval: fewer than 5 patients or videos, or all alike)") == 3


def test_images_of_nobody_are_refused(trained, tmp_path):
    content = json.loads((trained / "annotations.json").read_text())
    for image in content["images"]:
        image["patient_id"] = None
    (tmp_path / "annotations.json").write_text(json.dumps(content))
    result = run("evaluate", tmp_path, "--weights", trained / "run" / "weights.safetensors", "--part", "all")
    assert result.exit_code == 1
    assert "0.png has neither patient_id nor video_id, by which intervals go" in result.output


def test_an_image_of_another_size_than_its_labels_are_for_is_refused(trained, tmp_path):
    for file in trained.glob("*.png"):
        cv2.imwrite(str(tmp_path / file.name), np.zeros((40, 48, 3), np.uint8))
    for name in ("annotations.json", "split.json"):
        (tmp_path / name).write_bytes((trained / name).read_bytes())
    result = run("evaluate", tmp_path, "--weights", trained / "run" / "weights.safetensors", "--part", "all")
    assert result.exit_code == 1
    assert "has 48 × 40 px, but its labels are for 96 × 80" in result.output


def test_training_from_a_file_says_so_whatever_the_profile_starts_from(trained):
    weights = trained / "run" / "weights.safetensors"
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(settings.PROFILES, "quick", SMALL)  # which starts from scratch
        result = run("train", trained, "--out", trained / "more", "--steps", "1", "--start-from", weights)
    assert result.exit_code == 0, result.output
    assert f"started from {weights}, best" in result.output
    written = load_checkpoint(trained / "more" / "checkpoint.safetensors")
    assert (written["start"], written["settings"]["initialisation"]) == (sha256_of(weights), "shipped")


def test_training_takes_further_sets(trained):
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(settings.PROFILES, "quick", SMALL)
        result = run("train", trained, "--also", trained, "--out", trained / "two", "--steps", "1")
    assert result.exit_code == 0, result.output
    used = load_checkpoint(trained / "two" / "checkpoint.safetensors")["images"]
    assert used == [1, 2, 3, 4, 5, 6, 3, 6]  # all of the further set, then patient p0


def test_prediction_writes_boxes_of_the_image(trained):
    weights = trained / "run" / "weights.safetensors"
    out = trained / "boxes.json"
    result = run("predict", trained / "0.png", "--weights", weights, "--threshold", "0", "--out", out)
    assert result.exit_code == 0, result.output
    rows = json.loads(out.read_text())
    assert rows[0]["file_name"] == str(trained / "0.png")
    assert len(rows[0]["bbox"]) == 4
    scores = [row["score"] for row in rows]
    assert scores == sorted(scores, reverse=True)


def test_one_bad_image_does_not_lose_the_others(trained, tmp_path):
    """A text, half a JPEG and a PNG that claims gigabytes are skipped and counted, by whatever place in the batch."""
    noise = np.random.default_rng(0).integers(0, 255, (200, 200, 3), dtype=np.uint8)
    whole = cv2.imencode(".jpg", noise)[1].tobytes()
    (tmp_path / "text.png").write_text("no image")
    (tmp_path / "half.jpg").write_bytes(whole[: len(whole) // 2])
    giant = struct.pack(">4sIIBBBBB", b"IHDR", 200_000, 200_000, 8, 2, 0, 0, 0)
    header = struct.pack(">I", 13) + giant + struct.pack(">I", zlib.crc32(giant))
    (tmp_path / "giant.png").write_bytes(b"\x89PNG\r\n\x1a\n" + header)
    bad = [tmp_path / name for name in ("text.png", "half.jpg", "giant.png")]
    files = [bad[0], trained / "0.png", *bad[1:], trained / "1.png"]
    weights, out = trained / "run" / "weights.safetensors", tmp_path / "boxes.json"
    result = run("predict", *files, "--weights", weights, "--threshold", "0", "--out", out)
    assert result.exit_code == 1
    assert "Traceback" not in result.output
    assert all(f"Skipped: {path}: " in result.output for path in bad)
    assert "3 of 5 images" in result.output
    found = {row["file_name"] for row in json.loads(out.read_text())}
    assert found == {str(trained / "0.png"), str(trained / "1.png")}


def test_images_without_a_box_are_named(trained):
    weights = trained / "run" / "weights.safetensors"
    result = run("predict", trained / "0.png", "--weights", weights, "--threshold", "1")
    assert json.loads(result.stdout) == []
    assert result.stderr == f"1 of 1 images without a box: {trained / '0.png'}\n"


def test_benchmark_names_what_it_ran(trained):
    result = run("benchmark", trained, "--weights", trained / "run" / "weights.safetensors", "--batch-size", "2")
    assert result.exit_code == 0, result.output
    assert "torch, cpu, batch 2: 6 images" in result.output


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["train", "DATA", "--out", "DATA/other", "--profile", "fast"],
            "choose paper, authors, standard-crowd, standard-threads, standard-long, standard",
        ),
        (
            ["train", "DATA", "--out", "DATA/x", "--start-from", "DATA/0.png", "--initialisation", "imagenet"],
            "--initialisation imagenet others; leave one out",
        ),
        (["train", "DATA", "--out", "DATA/x", "--start-from", "DATA/0.png"], "0.png: not weights of this study's"),
        (["train", "DATA", "--out", "DATA/x", "--start-from", "DATA/none"], "none: no such file"),
        (["evaluate", "DATA", "--part", "tests"], "part 'tests': unknown"),
        (["evaluate", "DATA/nowhere"], "no such file"),
        (["evaluate", "DATA", "--results", "DATA/unnamed.json"], "--results: say with --origin"),
        (["predict", "DATA/0.png", "--out", "DATA"], "is a folder; name a file for --out"),
        (["predict", "DATA/0.png", "--out", "DATA/1.png"], "1.png: would be replaced by the boxes"),
        (["predict", "DATA/annotations.json", "--out", "DATA/annotations.json"], "annotations.json: would be replaced"),
        (["evaluate", "DATA", "--weights", "nobody"], "no such file; train one with"),
        (["evaluate", "DATA", "--weights", "DATA/0.png"], "not weights of this study's detection model"),
        (["evaluate", "DATA", "--weights", "DATA"], "is a folder; name the file in it"),
        (["predict", "DATA/split.json", "--weights", "DATA/run/weights.safetensors"], "no image"),
        (["benchmark", "DATA", "--weights", "DATA/run/weights.safetensors", "--engine", "coral"], "choose torch or"),
        (["benchmark", "DATA", "--engine", "openvino", "--device", "cuda"], "runs on the CPU, not on cuda"),
        (["predict", "DATA/0.png", "--device", "abacus"], "device 'abacus': is not here; choose auto"),
    ],
)
def test_errors_are_one_line_that_names_the_remedy(trained, words, message):
    result = run(*[word.replace("DATA", str(trained)) for word in words])
    assert result.exit_code == 1
    assert message in result.output
    assert "Traceback" not in result.output


def test_a_grey_image_is_taken(trained):
    grey = cv2.imread(str(trained / "0.png"), cv2.IMREAD_GRAYSCALE)
    cv2.imwrite(str(trained / "grey.png"), grey)
    result = run("predict", trained / "grey.png", "--weights", trained / "run" / "weights.safetensors")
    assert result.exit_code == 0, result.output
