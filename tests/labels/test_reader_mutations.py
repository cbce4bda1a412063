"""Thousands of damaged copies of every format's export: the library's own error or a full account, in little memory.

Half of the mutants change one value, name or tag and leave the file sound: of these no object may be lost silently.
"""

import csv
import io
import json
import random
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import exports
import pytest
from exports_xml import CVAT_VIDEO
from pycocotools import mask as coco_mask

from icsilib.data.annotations import Dataset, mask_of
from icsilib.errors import IcsiError
from icsilib.labels import FORMATS, Report, read_annotations
from icsilib.labels.assemble import AGAIN

MUTANTS = 400  # of each of nine exports
MOST_BYTES = 20e6
Files = dict[str, bytes]

NESTED: Any = 7
for _ in range(100):
    NESTED = [NESTED]
ODD = [
    *(None, True, -1, 0, 7, 0.5, 1e308, -1e12, float("nan"), float("inf"), 10**30, 99_999_999),
    *(
        "",
        " ",
        "0",
        "-3",
        "1e999",
        "sperm",
        "\ud800",
        "a" * 300,
        "../a.png",
        "a\nb",
        "x;y",
        "x,y",
        "1,2;3,4",
        "o" * 9999,
    ),
    *([], {}, [[]], [None], [1, 2], {"a": 1}, [[1, 2], [3, 4]], NESTED, ["x"] * 1000),
]
TEXTS = [str(each) for each in ODD if isinstance(each, (str, int, float)) and each != "\ud800"]
JUNK = [
    "",
    "0",
    "-1",
    "null",
    "1e999",
    "9" * 30,
    '"',
    "{}",
    "[]",
    "<",
    "/>",
    "é",
    "\0",
    "\n",
    ",",
    ";",
    ":",
    "&x;",
    "*a",
]


def sound(name: str, folder: Path) -> tuple[str, Files]:
    """Format and files of an export, with masks, points and turned boxes where the format has them."""
    format = name.removesuffix("-video")
    path = exports.write(format, folder)
    found = sorted(each for each in (path.rglob("*") if path.is_dir() else [path]) if each.is_file())
    files = {file.relative_to(folder).as_posix(): file.read_bytes() for file in found}
    if name == "cvat-video":
        files = {"cvat.xml": CVAT_VIDEO.encode()}
    elif name == "cvat":
        tip = '<skeleton label="needle"><points label="tip" points="1,2"/><points label="end" points="9,9"/></skeleton>'
        mask = '<mask label="oolemma" rle="1, 2, 8, 1" left="10" top="20" width="4" height="3"/>'
        more = f'{tip}{mask}<points label="sperm" points="1,1;2,2"/></image>'
        files["cvat.xml"] = files["cvat.xml"].replace(b"</image>", more.encode(), 1)
    elif name == "label-studio":
        tasks = json.loads(files["tasks.json"])
        value = {"format": "rle", "rle": exports.brush(8000), "brushlabels": ["oolemma"]}
        whole = {"id": "m", "type": "brushlabels", "value": value, "original_width": 100, "original_height": 80}
        tasks[0]["annotations"][0]["result"].append(whole)
        files["tasks.json"] = json.dumps(tasks).encode()
    elif name == "labelme":
        content = json.loads(files["a.json"])
        mask = {"shape_type": "mask", "points": [[10, 20], [12, 21]], "mask": exports.png([[1, 1, 0], [0, 1, 1]])}
        points = {"shape_type": "points", "points": [[1, 1], [2, 2]]}
        content["shapes"] += [{"label": "oolemma"} | mask, {"label": "sperm"} | points]
        files["a.json"] = json.dumps(content).encode()
    elif name == "coco":
        content = json.loads(files["coco.json"])
        plain = {"size": [80, 100], "counts": [80, 3, 7917]}
        packed = plain | {"counts": coco_mask.frPyObjects(plain, 80, 100)["counts"].decode()}
        for runs in (plain, packed):
            content["annotations"].append({"image_id": 0, "category_id": 2, "segmentation": runs})
        files["coco.json"] = json.dumps(content).encode()
    return format, files


def change_json(rng: random.Random, tree: Any) -> None:
    """Replace, remove, misspell or wrap one value, anywhere in the tree; records themselves are not removed."""
    places = []
    stack = [tree]
    while stack:
        node = stack.pop()
        places += [(node, key) for key in (node if isinstance(node, dict) else range(len(node)))]
        stack += [
            each for each in (node.values() if isinstance(node, dict) else node) if isinstance(each, (dict, list))
        ]
    parent, key = rng.choice(places)
    old, kind = parent[key], rng.choice(("replace", "replace", "remove", "misspell", "wrap"))
    if kind == "wrap":
        parent[key] = [old]
    elif kind == "remove" and isinstance(parent, dict) and parent is not tree:  # VIA's tree has its images by name
        del parent[key]
    elif kind == "misspell" and isinstance(parent, dict):
        parent[f"{key}x"] = parent.pop(key)
    else:  # an empty list in place of a full one is another sound file
        parent[key] = rng.choice([odd for odd in ODD if odd or not isinstance(odd, (list, dict)) or not old])


def change_xml(rng: random.Random, content: bytes) -> bytes:
    """Misspell one tag, or replace, remove or misspell one attribute or text."""
    root = ElementTree.fromstring(content)
    element = rng.choice(list(root.iter()))
    kind = rng.choice(("tag", "replace", "replace", "remove", "misspell"))
    if kind == "tag":
        element.tag = rng.choice((element.tag + "x", "meta", "track", "object", "size", "points", "image", "task"))
    elif element.attrib:
        name = rng.choice(sorted(element.attrib))
        old = element.attrib[name] if kind == "replace" else element.attrib.pop(name)
        if kind != "remove":
            element.attrib[name if kind == "replace" else f"{name}x"] = rng.choice(TEXTS) if kind == "replace" else old
    elif not len(element):
        element.text = rng.choice(TEXTS)
    return ElementTree.tostring(root)


def change_table(rng: random.Random, content: bytes) -> bytes:
    """Change one cell, or the JSON in it, or take it away."""
    rows = list(csv.reader(io.StringIO(content.decode())))
    row = rng.choice(rows)
    place = rng.randrange(len(row))
    if rng.random() < 0.1:
        del row[place]
    elif row[place].startswith("{") and len(row[place]) > 2 and rng.random() < 0.8:
        cell = json.loads(row[place])
        change_json(rng, cell)
        row[place] = json.dumps(cell)
    else:
        row[place] = rng.choice(TEXTS)
    table = io.StringIO()
    csv.writer(table).writerows(rows)
    return table.getvalue().encode()


def change_words(rng: random.Random, content: bytes) -> bytes:
    """Replace, remove or add one word of one line."""
    lines = [line.split(" ") for line in content.decode().split("\n")]
    line = rng.choice([each for each in lines if each != [""]] or lines)
    place = rng.randrange(len(line))
    new = rng.choice(([rng.choice(TEXTS)], [], [line[place], str(rng.choice((3, 0.5, 1.5)))]))
    line[place : place + 1] = new or ["x"] * (len(line) == 1)
    return "\n".join(map(" ".join, lines)).encode()


def damage(rng: random.Random, content: bytes) -> bytes:
    """Cut, double or replace a piece of the bytes, whatever they mean."""
    begin, kind = rng.randrange(len(content) + 1), rng.choice(("cut", "double", "junk", "junk", "flip"))
    end = min(len(content), begin + rng.choice((1, 1, 3, 20, 200)))
    if kind == "cut":
        return content[:begin]
    if kind == "double":
        return content[:end] + content[begin:]
    new = rng.choice(JUNK).encode() if kind == "junk" else rng.randbytes(end - begin)
    return content[:begin] + new + content[end:]


def mutants(name: str, files: Files) -> Iterator[tuple[Files, bool]]:
    """Damaged copies, and whether the change leaves the file sound."""
    rng = random.Random(f"{name} 25")
    for number in range(MUTANTS):
        file = rng.choice(sorted(files))
        content, suffix = files[file], Path(file).suffix
        if number % 2:
            for _ in range(rng.randint(1, 3)):
                content = damage(rng, content)
        elif suffix == ".json":
            tree = json.loads(content)
            change_json(rng, tree)
            content = json.dumps(tree).encode()
        else:
            content = {".xml": change_xml, ".csv": change_table, ".txt": change_words}[suffix](rng, content)
        yield files | {file: content}, not number % 2


@pytest.mark.parametrize("name", [*FORMATS, "cvat-video"])
def test_mutants_of_an_export(name: str, tmp_path: Path) -> None:
    format, files = sound(name, tmp_path)
    path = tmp_path / next(iter(files)) if len(files) == 1 else tmp_path
    write(files, tmp_path)
    whole, full = read_annotations(path, format, size=(100, 80))
    assert (full.skipped.total() - (name == "cvat-video"), full.skipped_images.total()) == (0, 0)
    tracemalloc.start()
    for number, (mutant, keeps_count) in enumerate(mutants(name, files)):
        write(mutant, tmp_path)
        tracemalloc.reset_peak()
        before = tracemalloc.get_traced_memory()[0]
        try:
            dataset, report = read_annotations(path, format, size=(100, 80))
        except IcsiError:
            continue
        finally:
            assert tracemalloc.get_traced_memory()[1] - before < MOST_BYTES, number
        check_account(dataset, report)
        if keeps_count:
            images = len(dataset.images) + report.changed[AGAIN]
            fewer = images < len(whole.images) and name != "cvat-video"  # whose length the file says
            lost = report.kept < full.kept or fewer
            named = any("were not read" in note for note in report.notes)  # YOLO's files of words
            said = report.skipped.total() > full.skipped.total() or report.skipped_images or named
            assert said or not lost, number
    tracemalloc.stop()


def write(files: Files, folder: Path) -> None:
    for name, content in files.items():
        (folder / name).write_bytes(content)


def check_account(dataset: Dataset, report: Report) -> None:
    """Every record is kept or skipped, every remark counted, and what is kept lies in its image."""
    counts = (report.skipped, report.skipped_images, report.changed)
    assert report.records == report.kept + report.skipped.total()
    assert (report.kept, report.images) == (len(dataset.annotations), len(dataset.images))
    assert len(report.details) == sum(count.total() for count in counts)
    "\n".join(report.lines()).encode()
    content = dataset.model_dump_json().encode()
    Dataset.model_validate_json(content)
    sizes = {image.id: (image.height, image.width) for image in dataset.images}
    for annotation in dataset.annotations:
        height, width = sizes[annotation.image_id]
        x, y, w, h = annotation.bbox or ()
        assert -1e-6 <= x <= x + w <= width + 1e-6
        assert -1e-6 <= y <= y + h <= height + 1e-6
        if height * width < 1e6:
            mask_of(annotation, height, width)


@pytest.mark.parametrize("seed", range(200))
def test_yolo_columns_of_another_meaning_never_become_boxes(seed: int, tmp_path: Path) -> None:
    """Boxes with a track's identity first or last, a score above 1, an identity and a score, or key points."""
    rng = random.Random(seed)
    (tmp_path / "classes.txt").write_text("sperm\n")
    kind, boxes, track = rng.choice(("first", "last", "score", "both", "points")), [], rng.randint(2, 40)
    for image in range(rng.randint(2, 4)):
        lines = []
        for _ in range(rng.randint(2, 5)):
            box = [round(rng.uniform(low, low + 0.2), 4) for low in (0.3, 0.3, 0.05, 0.05)]
            boxes.append(box)
            track += rng.randint(1, 3)
            tip = [*box[:2], 2]
            extra = {"last": [track], "score": [rng.uniform(1.5, 99)], "both": [track, 0.5], "points": tip * 2}
            lines.append([0, track, *box] if kind == "first" else [0, *box, *extra[kind]])
        (tmp_path / f"{image}.txt").write_text("\n".join(" ".join(map(str, line)) for line in lines))
    try:
        dataset, report = read_annotations(tmp_path, "yolo", size=(1000, 1000))
    except IcsiError:
        return
    check_account(dataset, report)
    assert report.kept == 0, kind
