"""Pascal VOC XML, one file an image. Its pixels are counted from 1 and its boxes include both ends.

A box from xmin to xmax therefore spans the continuous coordinates xmin − 1 to xmax:

    pixel      1     2     3            xmin = 2, xmax = 3 covers
            |--.--|--.--|--.--|         x = 1 to x = 3
    x       0     1     2     3

Some tools count from 0 nonetheless and write the continuous coordinates themselves. Files that hold an xmin or ymin
of 0 are read so; others of theirs cannot be told from VOC, and come out a pixel larger at the left and the top.
"""

from collections.abc import Iterator
from pathlib import Path, PureWindowsPath
from xml.etree import ElementTree

from icsilib.data.readers.outlines import box
from icsilib.data.readers.records import IMAGE_SUFFIXES, Changed, Picture, Record, Shape, Skipped, attempt
from icsilib.data.readers.sources import parse_xml
from icsilib.data.readers.values import number, pixels, text

CORNERS = ("xmin", "ymin", "xmax", "ymax")
FLAGS = ("pose", "truncated", "difficult", "occluded")


def read(path: Path) -> Iterator[Record]:
    """Records of one XML file, or of every `*.xml` below a folder."""
    roots = {file: parse_xml(file) for file in (sorted(path.rglob("*.xml")) if path.is_dir() else [path])}
    first = 0 if any(map(_counts_from_zero, roots.values())) else 1
    if first == 0:
        yield Changed(path.name, "read as counted from 0, since an xmin or ymin is 0; VOC counts pixels from 1")
    for file, root in roots.items():
        if root.tag != "annotation":
            yield Skipped(file.name, f"root element is {root.tag!r}, not 'annotation'", picture=True)
            continue
        key = str(file)
        size = (pixels(root.findtext("size/width")), pixels(root.findtext("size/height")))
        folder = file.parent.relative_to(path).as_posix() if path.is_dir() else "."
        yield Picture(key, image_name(root, file.stem), *size, beside=folder, seen=True)
        for index, element in enumerate(root.iter("object"), start=1):
            yield attempt(f"{file.name} object {index}", _shape, key, element, first)


def image_name(root: ElementTree.Element, stem: str) -> str:
    """Name of the image: of the `filename` and `path` written in the file, the one of the file's own stem.

    Both are often wrong, since people rename files after labelling and some tools write the XML's own name.
    """
    written = [PureWindowsPath(root.findtext(tag) or "") for tag in ("path", "filename")]
    images = [path for path in written if path.suffix.lower() in IMAGE_SUFFIXES]
    if not images:
        return f"{stem}.png"
    chosen = next((path for path in images if path.stem == stem), images[-1])
    return chosen.name if chosen.anchor else chosen.as_posix()  # an absolute path is the labeller's machine


def _counts_from_zero(root: ElementTree.Element) -> bool:
    corners = (corner for name in ("xmin", "ymin") for corner in root.iterfind(f".//bndbox/{name}"))
    return any((corner.text or "").strip() in ("0", "0.0") for corner in corners)


def _shape(where: str, picture: str, element: ElementTree.Element, first: int) -> Shape:
    xmin, ymin, xmax, ymax = (number(element.findtext(f"bndbox/{name}"), name) for name in CORNERS)
    if xmax < xmin - first:  # drawn from right to left; counted from 1, a box of less than a pixel may have xmax < xmin
        xmin, xmax = xmax, xmin
    if ymax < ymin - first:
        ymin, ymax = ymax, ymin
    flags = {name: value for name in FLAGS if (value := text(element.findtext(name)))}
    about = {"attributes": flags} if flags else {}
    return Shape(
        where, picture, "box", box(xmin - first, ymin - first, xmax, ymax), text(element.findtext("name")), about
    )
