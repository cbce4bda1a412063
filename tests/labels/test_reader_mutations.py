"""A hundred damaged copies of every format's export: an `AnnotationError` or a full account, never anything else."""

import json
from pathlib import Path

import exports
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from icsilib.data.annotations import AnnotationError, Dataset, mask_of
from icsilib.labels import FORMATS, read_annotations

ODD = [
    "",
    "0",
    "-1",
    "null",
    "NaN",
    "1e999",
    "9" * 30,
    '"',
    "{}",
    "[]",
    "true",
    "<",
    "/>",
    "é",
    "\0",
    "\n",
    ",",
    ";",
    ":",
]
WORDS = [
    "x",
    "width",
    "bbox",
    "points",
    "regions",
    "label",
    "frame",
    "id",
    "size",
    "name",
    "image",
    "value",
    "annotations",
]


@st.composite
def damage(draw: st.DrawFn) -> tuple[str, float, float, str]:
    """How to change a text: the kind, where it begins and how much it takes (as fractions), and what is put there."""
    kind = draw(st.sampled_from(("replace", "number", "word", "double", "cut", "bytes")))
    return kind, draw(st.floats(0, 1)), draw(st.floats(0, 0.2)), draw(st.sampled_from(ODD) | st.text(max_size=4))


def damaged(content: bytes, change: tuple[str, float, float, str]) -> bytes:
    kind, where, much, new = change
    text = content.decode("utf-8", errors="replace")
    begin = int(where * len(text))
    end = begin + int(much * len(text)) + 1
    if kind == "cut":
        return text[:begin].encode("utf-8", "replace")
    if kind == "bytes":
        return content[:begin] + b"\xff\xfe\x80" + content[begin:]
    if kind == "double":
        return (text[:end] + text[begin:]).encode("utf-8", "replace")
    if kind == "number":  # the digits at or after the place, so that the structure stays sound
        digits = [i for i in range(begin, len(text)) if text[i].isdigit()][:1]
        begin, end = (digits[0], digits[0] + 1) if digits else (begin, begin)
    if kind == "word":
        found = [place for word in WORDS if (place := text.find(f'"{word}"', begin)) >= 0]
        begin = min(found, default=begin)
        end = begin + 3
    return (text[:begin] + new + text[end:]).encode("utf-8", "replace")


def tree_damaged(content: bytes, change: tuple[str, float, float, str]) -> bytes:
    """The JSON with one of its values, anywhere in the tree, replaced, removed or doubled."""
    kind, where, _, new = change
    tree = json.loads(content)
    places = [(None, None)]
    stack = [tree]
    while stack:
        node = stack.pop()
        keys = list(node) if isinstance(node, dict) else list(range(len(node)))
        places += [(node, key) for key in keys]
        stack += [node[key] for key in keys if isinstance(node[key], (dict, list))]
    parent, key = places[1 + int(where * (len(places) - 2))]
    if kind == "cut":
        del parent[key]
    elif kind == "double" and isinstance(parent, list):
        parent.append(parent[key])
    else:
        odd = [None, True, -1, 1e999, 10**30, [], {}, [[]], [None], {"a": 1}, "", "sperm", 7, [1, 2], new]
        parent[key] = odd[int(where * 9973) % len(odd)]
    return json.dumps(tree).encode()


@pytest.mark.parametrize("format", FORMATS)
@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=100, derandomize=True
)
@given(changes=st.lists(damage(), min_size=1, max_size=3), sized=st.booleans())
def test_a_damaged_export(
    format: str, changes: list[tuple[str, float, float, str]], sized: bool, tmp_path: Path
) -> None:
    path = exports.write(format, tmp_path / format)
    for change in changes:
        files = sorted(each for each in path.rglob("*") if each.is_file()) if path.is_dir() else [path]
        file = files[int(change[1] * 997) % len(files)]
        whole = file.suffix == ".json" and change[0] in ("cut", "double", "word", "number") and change is changes[0]
        file.write_bytes((tree_damaged if whole else damaged)(file.read_bytes(), change))
    try:
        dataset, report = read_annotations(path, format, size=(100, 80) if sized else None)
    except AnnotationError:
        return
    assert report.records == report.kept + report.skipped.total()
    assert (report.kept, report.images) == (len(dataset.annotations), len(dataset.images))
    assert len(report.details) == sum(
        count.total() for count in (report.skipped, report.skipped_images, report.changed)
    )
    sizes = {image.id: (image.height, image.width) for image in dataset.images}
    Dataset.model_validate(dataset.model_dump())
    for annotation in dataset.annotations:
        height, width = sizes[annotation.image_id]
        x, y, w, h = annotation.bbox or ()
        assert -1e-6 <= x <= x + w <= width + 1e-6
        assert -1e-6 <= y <= y + h <= height + 1e-6
        if height * width < 1e6:
            mask_of(annotation, height, width)
