"""Pascal VOC XML, one file an image; pixels count from 1 and a box includes both of its ends."""

from collections import Counter, defaultdict
from pathlib import Path
from xml.etree import ElementTree

from icsilib.data.annotations import Annotation, Dataset, Image
from icsilib.files import write_text_atomic
from icsilib.labels.readers.report import Report
from icsilib.labels.readers.voc import OURS


def write_voc(dataset: Dataset, folder: Path | str) -> Report:
    """Write the boxes of `dataset` into `folder`, one XML named after each image; polygons lose their outline.

    Objects without a box of any size are skipped, and counted. Two images of one stem in different folders keep
    their folders. Coordinates that are not whole stay so, counted from 1 as all of VOC's: the source
    says that they are ours.
    """
    folder = Path(folder)
    names = {category.id: category.name for category in dataset.categories}
    by_image: defaultdict[int, list[Annotation]] = defaultdict(list)
    skipped: Counter[str] = Counter()
    changed: Counter[str] = Counter()
    for annotation in dataset.annotations:
        if not annotation.bbox or min(annotation.bbox[2:]) <= 0:
            skipped["no box"] += 1
            continue
        changed["only its box"] += annotation.segmentation is not None
        by_image[annotation.image_id].append(annotation)
    for image in dataset.images:
        root = _image(image)
        for annotation in by_image[image.id]:
            root.append(_object(annotation, names[annotation.category_id]))
        ElementTree.indent(root, "\t")
        target = folder / Path(image.file_name).with_suffix(".xml")
        write_text_atomic(target, ElementTree.tostring(root, encoding="unicode") + "\n")
    count = len(dataset.annotations)
    return Report(folder, "voc", len(dataset.images), count, count - skipped.total(), skipped, changed=+changed)


def _image(image: Image) -> ElementTree.Element:
    root = ElementTree.Element("annotation")
    ElementTree.SubElement(root, "folder").text = Path(image.file_name).parent.name
    ElementTree.SubElement(root, "filename").text = Path(image.file_name).name
    ElementTree.SubElement(root, "path").text = image.file_name
    ElementTree.SubElement(ElementTree.SubElement(root, "source"), "database").text = OURS
    size = ElementTree.SubElement(root, "size")
    for name, value in (("width", image.width), ("height", image.height), ("depth", 3)):
        ElementTree.SubElement(size, name).text = str(value)
    ElementTree.SubElement(root, "segmented").text = "0"
    return root


def _object(annotation: Annotation, name: str) -> ElementTree.Element:
    x, y, width, height = annotation.bbox or (0.0, 0.0, 0.0, 0.0)
    element = ElementTree.Element("object")
    ElementTree.SubElement(element, "name").text = name
    attributes = (annotation.model_extra or {}).get("attributes") or {}
    for flag, default in (("pose", "Unspecified"), ("truncated", "0"), ("difficult", "0")):
        ElementTree.SubElement(element, flag).text = str(attributes.get(flag, default))
    corners = ElementTree.SubElement(element, "bndbox")
    ends = (("xmin", x + 1), ("ymin", y + 1), ("xmax", x + width), ("ymax", y + height))
    for corner, value in ends:
        ElementTree.SubElement(corners, corner).text = f"{value:.6f}".rstrip("0").rstrip(".")
    return element
