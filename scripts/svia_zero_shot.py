"""Score the shipped detector, which has seen nothing but drawings, on the real sperm of SVIA, by two measures.

    python scripts/svia_zero_shot.py            all 220 frames, some minutes on two cores

Writes `book/reference/detection_svia_zero_shot.json`. SVIA's boxes hold heads, the detector's head and tail; so beside
the AP at IoU 0.5 stands the score by head-in-box (`icsilib.detection.heads`). Nothing is chosen on these frames: the
threshold is the command line's default.
"""

from typing import Annotated

import typer

from icsilib.data.manifest import data_digest, fetch
from icsilib.data.svia import load as load_svia
from icsilib.detection import load
from icsilib.detection.evaluate import (
    Matched,
    coco_evaluation,
    matched_detections,
    operating_point,
    scores_of,
)
from icsilib.detection.export import with_openvino
from icsilib.detection.heads import heads_in_boxes
from icsilib.detection.images import labelled_images
from icsilib.detection.protocols import free_response
from icsilib.detection.train import detect_files
from icsilib.detection.weights import weights_file
from icsilib.files import sha256_of
from icsilib.stats.resampling import jackknife_interval, without_each
from icsilib.study.provenance import ROOT, Results

THRESHOLD = 0.3  # of `icsi detect predict`
PRICES = (0.5, 1, 2, 4, 8)  # false detections per frame


def main(every: Annotated[int, typer.Option(min=1, help="Take every n-th frame.")] = 1) -> None:
    """Detect, score, and write the results."""
    root = fetch("svia")
    images = labelled_images(load_svia(root), root)[::every]
    results = Results("detection_svia_zero_shot", "standard", None, weights=sha256_of(weights_file("biopsy_phantom")))
    results.data["svia"] = data_digest("svia")
    found = detect_files(with_openvino(load()), images)
    evaluation = coco_evaluation(images, found)
    about = {"data": "SVIA", "n": sum(len(image.boxes) for image in images), "n_of": "sperm", "level": 0.95}
    rest, whole = without_each([image.group for image in images]), scores_of(evaluation).ap
    ends = jackknife_interval(whole, [scores_of(evaluation, places).ap for places in rest], "logit")
    method = "shipped detector, trained on drawings; boxes of head and tail against boxes of heads, IoU 0.5"
    results.add("zero_shot.ap50", whole, interval=ends, method=method, **about)
    by_iou, by_head = matched_detections(evaluation), heads_in_boxes(images, found)
    for name, matched in (("iou", by_iou), ("head", by_head)):
        add_point(results, f"zero_shot.{name}", matched, rest, about)
    curve = free_response(by_head)
    rows = [{"false detections per frame": price, "heads found": curve.sensitivity_at(price)} for price in PRICES]
    results.add_table("zero_shot.free_response", rows)
    results.write(ROOT / "book" / "reference" / "detection_svia_zero_shot.json")
    for key, value in results.values.items():
        print(key, value.value, value.interval)


def add_point(results: Results, prefix: str, matched: Matched, rest: list, about: dict) -> None:
    """Precision and recall at the threshold, with intervals by video."""
    point = operating_point(matched, THRESHOLD)
    without = [operating_point(matched, THRESHOLD, places) for places in rest]
    for what in ("precision", "recall"):
        ends = jackknife_interval(getattr(point, what), [getattr(one, what) for one in without], "logit")
        method = f"threshold {THRESHOLD}; jackknife over five videos"
        results.add(f"{prefix}.{what}", getattr(point, what), interval=ends, method=method, **about)


if __name__ == "__main__":
    typer.run(main)
