"""Exports that are damaged, cut short or made to harm: refused in one line, or skipped and counted, never lost."""

import json
from pathlib import Path
from typing import Any

import exports
import numpy as np
import pytest

from icsilib.data.annotations import AnnotationError, Dataset, Image, mask_of, polygon_annotation, write_coco
from icsilib.data.structures import OOLEMMA
from icsilib.labels import read_annotations
from icsilib.labels.write_via import write_via_csv


def refused(path: Path, words: str) -> None:
    with pytest.raises(AnnotationError, match=words) as caught:
        read_annotations(path, size=(100, 80))
    assert str(path) in str(caught.value)


def skips(path: Path, **options: Any) -> tuple[int, dict[str, int]]:
    """Objects kept, and how many were skipped for which reason."""
    _, report = read_annotations(path, **options)
    assert report.records == report.kept + report.skipped.total()
    return report.kept, dict(report.skipped)


def coco(folder: Path, **changes: Any) -> Path:
    """A COCO file of one box of 10×10 px with `changes` made to its record, image or category."""
    record = {"image_id": 1, "category_id": 1, "bbox": [10, 10, 10, 10]}
    image, category = {"id": 1, "file_name": "a.png", "width": 100, "height": 80}, {"id": 1, "name": "sperm"}
    for name, value in changes.items():
        next((each for each in (image, category) if name in each), record)[name] = value
    path = folder / "coco.json"
    path.write_text(json.dumps({"images": [image], "annotations": [record], "categories": [category]}))
    return path


def nested(levels: int) -> Any:
    return [nested(levels - 1)] if levels else 0


def test_values_are_nested_in_64_levels_at_most(tmp_path: Path) -> None:
    """The file itself, its list of annotations and the annotation are three levels."""
    dataset, _ = read_annotations(coco(tmp_path, note=nested(61)))
    write_coco(dataset, tmp_path / "out.json")
    refused(coco(tmp_path, note=nested(62)), "nested in more than 64 levels")
    (tmp_path / "coco.json").write_text("[" * 100_000)
    refused(tmp_path / "coco.json", "not sound JSON")


@pytest.mark.parametrize("change", [{"name": "sp\ud800"}, {"file_name": "\udfff.png"}, {"note": [{"a\ud800b": 1}]}])
def test_half_a_character_is_refused(change: dict[str, Any], tmp_path: Path) -> None:
    refused(coco(tmp_path, **change), "half a character")


def test_a_character_of_two_halves_is_read(tmp_path: Path) -> None:
    path = coco(tmp_path, name="\U0001f52c")  # json.dumps writes \ud83d\udd2c
    assert "\\ud83d" in path.read_text()
    assert read_annotations(path)[0].categories[0].name == "\U0001f52c"


@pytest.mark.parametrize("name", ["a" * 252 + ".png", "é" * 126 + ".png"])
def test_file_names_longer_than_a_computer_has_are_skipped(name: str, tmp_path: Path) -> None:
    _, report = read_annotations(coco(tmp_path, file_name=name))
    assert report.skipped_images == {"file name of more than 255 bytes": 1}
    for longest in ("a" * 251 + ".png", "/".join(["a" * 200] * 6)):  # of a long path the name is kept
        assert read_annotations(coco(tmp_path, file_name=longest))[1].kept == 1


@pytest.mark.parametrize(
    "change",
    [{"bbox": [10, 10, 1e10, 5]}, {"segmentation": [[-1e308, -1e308, 1e308, -1e308, 1e308, 1e308]]}],
)
@pytest.mark.filterwarnings("error")
def test_coordinates_beyond_all_images_are_skipped(change: dict[str, Any], tmp_path: Path) -> None:
    kept, skipped = skips(coco(tmp_path, **change))
    assert (kept, sum(skipped.values())) == (0, 1)
    assert "beyond a thousand million" in next(iter(skipped))


def test_what_is_written_is_json_even_where_a_remark_is_no_number(tmp_path: Path) -> None:
    path = coco(tmp_path, score=float("nan"), other=7777)
    path.write_text(path.read_text().replace("7777", "1e999"))
    write_coco(read_annotations(path)[0], tmp_path / "out.json")
    json.loads((tmp_path / "out.json").read_text(), parse_constant=pytest.fail)


YAML_BOMB = (
    "\n".join(["a0: &a0 [x, x]"] + [f"a{k}: &a{k} [*a{k - 1}, *a{k - 1}]" for k in range(1, 40)]) + "\nnames: *a39"
)


@pytest.mark.parametrize(
    ("yaml", "words"),
    [
        (YAML_BOMB, "aliases"),
        ("names: " + "[" * 100 + "]" * 100, "endless nesting"),
        ("names: {.inf: sperm}", "no list of class names"),
        ("names: {? [1, 2] : sperm}", "not YAML"),
        ("names: [[sperm]]", "no list of class names"),
        ("names: sperm", "no list of class names"),
        ("names: [", "not YAML"),
    ],
)
def test_class_names_that_cannot_be_meant_are_refused(yaml: str, words: str, tmp_path: Path) -> None:
    path = exports.write("yolo", tmp_path / "set")
    (path / "classes.txt").unlink()
    (path / "data.yaml").write_text(yaml)
    refused(path, words)


def test_tags_of_yaml_make_nothing_but_text(tmp_path: Path) -> None:
    path = exports.write("yolo", tmp_path / "set")
    (path / "classes.txt").unlink()
    (path / "data.yaml").write_text("names: [!!int '', !!python/object/apply:os.getpid []]")
    refused(path, "not YAML|no list of class names")
    (path / "data.yaml").write_text("names: !!python/tuple [!!int '7', 1.0]")
    assert {each.name for each in read_annotations(path, size=(100, 80))[0].categories} == {"7", "1.0"}


def test_files_that_systems_and_killed_writers_hide_are_no_labels(tmp_path: Path) -> None:
    for format in ("labelme", "voc", "yolo"):
        path = exports.write(format, tmp_path / format)
        for name in (".partial-x", "._a"):
            for suffix in (".json", ".xml", ".txt"):
                (path / f"{name}{suffix}").write_bytes(b"\0\5\x16\7")
        assert read_annotations(path, size=(100, 80))[1].skipped_images.total() == 0


def via(folder: Path, content: str) -> Path:
    (folder / "via.csv").write_text(content, encoding="utf-8")
    return folder / "via.csv"


def test_a_via_table_cut_short_is_told_by_its_region_count(tmp_path: Path) -> None:
    lines = exports.via_csv().split("\n")
    assert skips(via(tmp_path, "\n".join(lines[:3]))) == (
        2,
        {"the table holds fewer regions of an image than its region_count says": 1},
    )
    short = lines[3][: lines[3].index(",3,") + 5]  # a row that ends after its region_id
    kept, skipped = skips(via(tmp_path, "\n".join([*lines[:3], short])))
    assert (kept, skipped["row has more or fewer cells than the header"]) == (2, 1)
    refused(via(tmp_path, "\n".join([*lines[:3], lines[3][:-8]])), "unexpected end of data")


@pytest.mark.parametrize(
    ("cell", "reason"),
    [('""x"": 10, ""x"": 60', "shape_attributes is not an object"), ('""x"": 1e10', "x is beyond a thousand million")],
)
def test_a_cell_that_is_no_sound_json_is_skipped(cell: str, reason: str, tmp_path: Path) -> None:
    assert skips(via(tmp_path, exports.via_csv().replace('""x"": 10', cell))) == (2, {reason: 1})
    surrogate = exports.via_csv().replace('""Sperm""', '""\\ud800""')
    assert skips(via(tmp_path, surrogate)) == (2, {"region_attributes is not an object": 1})


@pytest.mark.parametrize("separator", [";", "\t"])
def test_a_via_table_that_a_spreadsheet_saved_is_refused_by_name(separator: str, tmp_path: Path) -> None:
    refused(via(tmp_path, exports.via_csv().replace(",", separator)), "a spreadsheet saved it again")


def test_an_outline_of_12000_vertices_comes_back_from_the_study_s_own_table(tmp_path: Path) -> None:
    turns = np.linspace(0, 2 * np.pi, 12_000, endpoint=False)
    ring = 1000 + 900 * np.stack([np.cos(turns), np.sin(turns)], axis=1)
    drawn = polygon_annotation(1, 1, OOLEMMA, [ring])
    images = [Image(id=1, file_name="a.png", width=2000, height=2000)]
    write_via_csv(Dataset(images=images, annotations=[drawn], categories=[OOLEMMA]), tmp_path / "via.csv")
    assert (tmp_path / "via.csv").stat().st_size > 131_072  # what Python's csv reads of a cell by default
    [found] = read_annotations(tmp_path / "via.csv")[0].annotations
    assert found.segmentation == drawn.segmentation
    longer = (tmp_path / "via.csv").read_text().replace("\n", "," + "x" * 300_000 + "\n", 1)
    assert read_annotations(via(tmp_path, longer.replace('"\n', '",\n')))[1].kept == 1


def test_the_label_among_several_via_attributes_is_the_one_that_is_known(tmp_path: Path) -> None:
    def table(attributes: str) -> Path:
        return via(tmp_path, exports.via_csv().replace('{""label"": ""Sperm""}', attributes))

    assert skips(table('{""structure"": ""Sperm"", ""quality"": ""good""}')) == (3, {})
    unknown = table('{""structure"": ""spz"", ""quality"": ""good""}')
    reason = "none or several of the attributes structure, quality say the label; call one 'label'"
    assert skips(unknown) == (2, {reason: 1})
    assert skips(unknown, labels={"SPZ": "sperm"}) == (3, {})


def test_a_via_image_whose_regions_are_not_there_lost_them(tmp_path: Path) -> None:
    content = exports.via_json()
    content["a.png123"]["regienx"] = content["a.png123"].pop("regions")
    path = tmp_path / "via.json"
    path.write_text(json.dumps(content))
    _, report = read_annotations(path)
    assert report.skipped == {"image without a list of regions": 1}
    assert report.skipped_images == {"all its objects were skipped": 1}


def cvat(folder: Path, content: str, meta: str = "") -> Path:
    """A CVAT file of one image with this content."""
    image = f'<image id="0" name="a.png" width="100" height="80">{content}</image>'
    (folder / "annotations.xml").write_text(f"<annotations>{meta}{image if content else ''}</annotations>")
    return folder / "annotations.xml"


SKELETON = """<skeleton label="needle"><points label="{name}" outside="0" occluded="0" points="50.50,40.50"/>
<points label="base" outside="0" occluded="1" points="90.00,20.00"/></skeleton>"""


def test_cvats_skeletons_and_groups_of_points_are_read_point_by_point(tmp_path: Path) -> None:
    three = '<points label="sperm" points="10,10;20,20;30,30"/>'
    dataset, report = read_annotations(cvat(tmp_path, SKELETON.format(name="tip") + three))
    assert [each.keypoints for each in dataset.annotations] == [
        [x, y, 2] for x, y in ((50.5, 40.5), *[(v, v) for v in (10, 20, 30)])
    ]
    assert report.changed.total() == 2
    other = cvat(tmp_path, SKELETON.format(name="end"))
    assert skips(other) == (0, {"skeleton without a point 'tip'": 1})
    assert skips(other, keypoint="end") == (1, {})


def test_cvats_unknown_elements_are_counted_with_what_they_hold(tmp_path: Path) -> None:
    box = '<box label="sperm" xtl="10" ytl="20" xbr="30" ybr="60"/>'
    kept, skipped = skips(
        cvat(tmp_path, box + box.replace("box", "bax") + '<polyline label="needle" points="1,1;2,2"/>')
    )
    assert (kept, skipped) == (1, {"shape 'bax' is not supported": 1, "shape 'polyline' is not supported": 1})
    _, report = read_annotations(cvat(tmp_path, box, f'<imagx name="b.png">{box}{box}</imagx>'))
    assert (report.kept, report.skipped.total(), report.skipped_images.total()) == (1, 2, 1)
    track = f'<track id="0" label="sperm">{box.replace("box", "bax frame=" + chr(34) + "0" + chr(34))}</track>'
    assert skips(cvat(tmp_path, "", track), size=(100, 80)) == (0, {"shape 'bax' is not supported": 1})


@pytest.mark.parametrize("tasks", [1, 20])
def test_videos_longer_than_an_hour_are_refused(tasks: int, tmp_path: Path) -> None:
    one = "<task><id>{}</id><start_frame>0</start_frame><stop_frame>{}</stop_frame></task>"
    each = "".join(one.format(number, 150_000 // tasks) for number in range(tasks))
    refused(cvat(tmp_path, "", f"<meta><project><tasks>{each}</tasks></project></meta>"), "correct start_frame")


def labelme(folder: Path, *shapes: dict[str, Any]) -> Path:
    content = exports.labelme("a.png") | {"shapes": [{"label": "oolemma"} | shape for shape in shapes]}
    (folder / "a.json").write_text(json.dumps(content))
    return folder / "a.json"


def test_labelmes_mask_lies_where_its_box_says(tmp_path: Path) -> None:
    packed = exports.png([[0, 1, 1, 0], [0, 0, 0, 0], [0, 0, 0, 1]])
    place = {"shape_type": "mask", "points": [[10, 20], [13, 22]]}
    dataset, _ = read_annotations(labelme(tmp_path, place | {"mask": packed}))
    assert np.argwhere(mask_of(dataset.annotations[0], 80, 100)).tolist() == [[20, 11], [20, 12], [22, 13]]
    wrong = [packed[:-30], "?", None, exports.png(np.ones((3, 5))), exports.png(np.ones((2000, 2000)))]
    kept, skipped = skips(labelme(tmp_path, *(place | {"mask": each} for each in wrong)))
    assert (kept, skipped) == (0, {"mask is no PNG image": 3, "mask is of another size than its box": 2})
    huge = place | {"points": [[0, 0], [1e8, 1e8]], "mask": packed}
    assert skips(labelme(tmp_path, huge)) == (0, {"mask is larger than its image": 1})


def test_labelmes_turned_boxes_and_groups_of_points_are_read(tmp_path: Path) -> None:
    turned = {"shape_type": "rotation", "points": [[20, 10], [30, 20], [20, 30], [10, 20]]}
    points = {"shape_type": "points", "points": [[10, 10], [50, 50]]}
    dataset, report = read_annotations(labelme(tmp_path, turned, points, {"shape_type": "line", "points": [[1, 1]]}))
    assert [each.bbox for each in dataset.annotations] == [[10, 10, 20, 20], [10, 10, 0, 0], [50, 50, 0, 0]]
    assert (report.changed.total(), dict(report.skipped)) == (1, {"shape 'line' is not supported": 1})


def test_label_studios_work_without_results_or_image_is_counted(tmp_path: Path) -> None:
    tasks = exports.label_studio()
    work = tasks[0]["annotations"][0]
    path = tmp_path / "tasks.json"
    path.write_text(json.dumps([tasks[0] | {"annotations": [work | {"resulx": work["result"], "result": None}]}]))
    dataset, report = read_annotations(path)
    assert (dataset.images, report.skipped) == ([], {"annotation without a list of results": 1})
    path.write_text(json.dumps([tasks[0] | {"data": {"video": "/data/upload/1/op.mp4"}}]))
    dataset, report = read_annotations(path)
    assert report.skipped_images == {"task of a video, which is not read; label its frames as images": 1}
    assert report.skipped.total() == 3
    work["result"][0]["type"] = ["rectanglelabels"]
    path.write_text(json.dumps(tasks))
    assert read_annotations(path)[1].kept == 3


def test_coco_annotations_by_id_nested_rings_and_single_points_are_read(tmp_path: Path) -> None:
    square = [[10, 10], [20, 10], [20, 20], [10, 20]]
    for rings in ([square], square, [[10, 10, 20, 10, 20, 20, 10, 20]]):
        path = coco(tmp_path, segmentation=rings)
        content = json.loads(path.read_text())
        path.write_text(json.dumps(content | {"annotations": {"7": content["annotations"][0]}}))
        [found] = read_annotations(path)[0].annotations
        assert found.segmentation == [[10, 10, 20, 10, 20, 20, 10, 20]]
    [tip] = read_annotations(coco(tmp_path, segmentation=[[30, 40]], name="needle"))[0].annotations
    assert tip.keypoints == [30, 40, 2]


def voc(folder: Path, *objects: str) -> Path:
    size = "<size><width>100</width><height>80</height></size>"
    (folder / "a.xml").write_text(f"<annotation><filename>a.png</filename>{size}{''.join(objects)}</annotation>")
    return folder / "a.xml"


BNDBOX = "<bndbox><xmin>11</xmin><ymin>21</ymin><xmax>30</xmax><ymax>60</ymax></bndbox>"


def test_vocs_polygons_and_turned_boxes_are_read(tmp_path: Path) -> None:
    corners = "".join(f"<x{k}>{x}</x{k}><y{k}>{y}</y{k}>" for k, (x, y) in enumerate([(10, 20), (30, 20), (30, 60)], 1))
    polygon = f"<object><name>oolemma</name><polygon>{corners}</polygon>{BNDBOX}</object>"
    turned = f"<robndbox><cx>50</cx><cy>40</cy><w>40</w><h>10</h><angle>{np.pi / 2}</angle></robndbox>"
    dataset, _ = read_annotations(voc(tmp_path, polygon, f"<object><name>sperm</name>{turned}</object>"))
    assert dataset.annotations[0].segmentation == [[10, 20, 30, 20, 30, 60]]
    assert dataset.annotations[1].bbox == [45, 20, 10, 40]
    short = polygon.replace("<y3>60</y3>", "")
    assert skips(voc(tmp_path, short)) == (0, {"y is not a number": 1})


def test_vocs_misspelt_objects_are_counted(tmp_path: Path) -> None:
    sperm = f"<object><name>sperm</name>{BNDBOX}</object>"
    wrong = [sperm.replace("object", "objekt"), sperm.replace("bndbox", "bndbax")]
    reasons = {"element 'objekt' is not 'object'": 1, "xmin is not a number": 1}
    assert skips(voc(tmp_path, sperm, *wrong)) == (1, reasons)
    path = voc(tmp_path, sperm, sperm)
    path.write_text(path.read_text().replace("annotation", "track"))
    dataset, report = read_annotations(path, "voc")
    assert (dataset.images, report.skipped.total(), report.skipped_images.total()) == ([], 2, 1)


@pytest.mark.filterwarnings("error")
def test_an_outline_over_a_huge_image_is_looked_at_from_afar(tmp_path: Path) -> None:
    """Traced pixel by pixel, these two thousand strokes of a million pixels would take 100 GB."""
    zigzag = [value for k in range(2000) for value in (k * 400, k % 2 * 1e6)] + [1e6, 1e6, 0, 1e6]
    bow = [0, 0, 1e6, 1e6, 1e6, 0, 0, 7e5]
    for outline, crossing in ((zigzag, False), (bow, True)):
        path = coco(tmp_path, segmentation=[outline], width=1_000_000, height=1_000_000)
        _, report = read_annotations(path)
        assert (report.kept, any("cross themselves" in note for note in report.notes)) == (1, crossing)
