"""The same small content as each tool would export it, with the faults that real exports have.

Two images of 100×80 px. a.png holds a sperm box from (10, 20) to (30, 60), an oolemma square from (40, 10) to
(60, 30) and a needle tip at (50.5, 40.5), as far as the format can; b.png is not annotated.
"""

import base64
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from exports_xml import CVAT_IMAGES, VOC_A, VOC_B

SQUARE = [[40, 10], [60, 10], [60, 30], [40, 30]]
XS, YS = ([point[axis] for point in SQUARE] for axis in (0, 1))

VIA_SHAPES = [
    ({"name": "rect", "x": 10, "y": 20, "width": 20, "height": 40}, {"label": "Sperm"}),
    ({"name": "polygon", "all_points_x": XS, "all_points_y": YS}, {"label": "oolemma"}),
    ({"name": "point", "cx": 50.5, "cy": 40.5}, {"label": "NEEDLE"}),
]
SIZE = {"width": "100", "height": "80"}


def via_json() -> dict[str, Any]:
    regions = [{"shape_attributes": shape, "region_attributes": label} for shape, label in VIA_SHAPES]
    return {
        "a.png123": {"filename": "a.png", "size": 123, "regions": regions, "file_attributes": SIZE},
        "b.png456": {"filename": "b.png", "size": 456, "regions": [], "file_attributes": SIZE},
    }


def via_csv(header: str = "filename") -> str:
    def cell(value: Any) -> str:
        return '"' + json.dumps(value).replace('"', '""') + '"'

    lines = [f"{header},file_size,file_attributes,region_count,region_id,region_shape_attributes,region_attributes"]
    for index, (shape, label) in enumerate(VIA_SHAPES):
        lines.append(f"a.png,123,{cell(SIZE)},3,{index},{cell(shape)},{cell(label)}")
    return "\n".join([*lines, f"b.png,456,{cell(SIZE)},0,0,{cell({})},{cell({})}", ""])


def label_studio() -> list[dict[str, Any]]:
    of = {"original_width": 100, "original_height": 80, "image_rotation": 0}
    box = {"x": 10, "y": 25, "width": 20, "height": 50, "rotation": 0, "rectanglelabels": ["Sperm"]}
    outline = {"points": [[x, y / 0.8] for x, y in SQUARE], "polygonlabels": ["oolemma"]}
    tip = {"x": 50.5, "y": 50.625, "width": 0.5, "keypointlabels": ["NEEDLE"]}
    values = [("r1", "rectanglelabels", box), ("r2", "polygonlabels", outline), ("r3", "keypointlabels", tip)]
    result = [{"id": id, "type": kind, "value": value} | of for id, kind, value in values]
    work = [{"id": 7, "completed_by": 3, "was_cancelled": False, "result": result}]
    return [
        {"id": 1, "data": {"image": "/data/upload/1/a.png"}, "annotations": work},
        {
            "id": 2,
            "data": {"image": "/data/local-files/?d=set/b.png"},
            "annotations": [{"completed_by": 3, "result": []}],
        },
    ]


def labelme(name: str) -> dict[str, Any]:
    shapes = [
        {"label": "Sperm", "points": [[30, 60], [10, 20]], "shape_type": "rectangle", "group_id": None},
        {"label": "oolemma", "points": SQUARE, "shape_type": "polygon", "flags": {}},
        {"label": "NEEDLE", "points": [[50.5, 40.5]], "shape_type": "point"},
    ]
    path = f"..\\images\\{name}"
    head = {"version": "5.2.1", "imagePath": path, "imageData": "aGVsbG8=", "imageHeight": 80, "imageWidth": 100}
    return head | {"shapes": shapes if name == "a.png" else []}


def coco() -> dict[str, Any]:
    """As VIA writes it: ids as text, the box's area for a polygon, no outer list, an empty box for a point."""
    images = [{"id": i, "file_name": name, "width": 100, "height": 80} for i, name in ((0, "a.png"), (1, "b.png"))]
    names = ("Sperm", "oolemma", "NEEDLE")
    outline = [value for point in SQUARE for value in point]
    annotations = [
        {"id": 0, "image_id": "0", "category_id": 1, "bbox": [10, 20, 20, 40], "area": 1, "segmentation": []},
        {"id": 1, "image_id": "0", "category_id": 2, "bbox": [0, 0, 1, 1], "area": 9, "segmentation": outline},
        {"id": 1, "image_id": "0", "category_id": 3, "bbox": [], "keypoints": [50.5, 40.5, 2], "num_keypoints": 1},
    ]
    return {
        "info": {},
        "images": images,
        "annotations": annotations,
        "categories": [{"id": i, "name": name} for i, name in enumerate(names, start=1)],
    }


def brush(pixels: int) -> list[int]:
    """Label Studio's bytes of a mask that is painted everywhere, in runs of 2¹⁵ words."""
    count = pixels * 4
    bits = f"{count:032b}" + f"{7:05b}" + f"{14:04b}" * 4
    while count:
        run = min(count, 2**15)
        bits += f"100{run - 1:015b}{255:08b}"
        count -= run
    bits += "0" * (-len(bits) % 8)
    return [int(bits[at : at + 8], 2) for at in range(0, len(bits), 8)]


def png(mask: Any) -> str:
    """LabelMe's text of a mask."""
    return base64.b64encode(cv2.imencode(".png", np.array(mask, np.uint8) * 255)[1].tobytes()).decode()


def write(format: str, folder: Path) -> Path:
    """Write the export of `format` into `folder`; returns what to read."""
    folder.mkdir(parents=True, exist_ok=True)
    single = {
        "via-csv": ("via.csv", via_csv()),
        "via-json": ("via.json", json.dumps(via_json())),
        "label-studio": ("tasks.json", json.dumps(label_studio())),
        "coco": ("coco.json", json.dumps(coco())),
        "cvat": ("cvat.xml", CVAT_IMAGES),
    }
    if format in single:
        name, content = single[format]
        (folder / name).write_text(content, encoding="utf-8")
        return folder / name
    several = {
        "labelme": {f"{name}.json": json.dumps(labelme(f"{name}.png")) for name in "ab"},
        "voc": {"a.xml": VOC_A, "b.xml": VOC_B},
        "yolo": {"classes.txt": "Sperm\noolemma\n", "labels/a.txt": YOLO_A, "labels/b.txt": ""},
    }
    for name, content in several[format].items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(content, encoding="utf-8")
    return folder


YOLO_A = "0 0.2 0.5 0.2 0.5\n1 0.4 0.125 0.6 0.125 0.6 0.375 0.4 0.375\n"
