"""Datasheets of the phantom data sets, after Gebru et al., "Datasheets for Datasets" (CACM 64(12), 2021).

Their prose lies beside this module, `*_datasheet.md`; counts are added from the data.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from operator import attrgetter
from typing import Any

from icsilib.data.annotations import Dataset, Image
from icsilib.data.splits import PARTS, Split


def fill_datasheet(prose: str, dataset: Dataset, split: Split, count_by: Sequence[str]) -> str:
    """The prose (Markdown) with, for `{counts}`, counts by part and by each image field named in `count_by`."""
    text = [f"Counted from the annotations; groups of `{split.by}` are never split."]
    text.append(_counts("part", dataset, split, lambda image: split.part_of[getattr(image, split.by)], PARTS))
    for field in count_by:
        values = sorted({getattr(image, field) for image in dataset.images})
        text.append(_counts(field, dataset, split, attrgetter(field), values))
    return prose.replace("{counts}", "\n\n".join(text))


def count_table(
    dataset: Dataset, split: Split, key: Callable[[Image], Any], rows: Iterable[Any]
) -> list[dict[str, Any]]:
    """For each value of `key`: the number of groups, images and annotations of each category."""
    names = {category.id: category.name for category in dataset.categories}
    value_of = {image.id: key(image) for image in dataset.images}
    groups = Counter(value for value, _ in {(key(image), getattr(image, split.by)) for image in dataset.images})
    images = Counter(value_of.values())
    labels = Counter((value_of[item.image_id], names[item.category_id]) for item in dataset.annotations)
    unit = split.by.removesuffix("_id") + "s"
    return [
        {"": row, unit: groups[row], "images": images[row]} | {name: labels[row, name] for name in names.values()}
        for row in rows
    ]


def _counts(title: str, dataset: Dataset, split: Split, key: Callable[[Image], Any], rows: Sequence[Any]) -> str:
    table = count_table(dataset, split, key, rows)
    header = [title, *list(table[0])[1:]]
    lines = [header, ["---", *["--:"] * (len(header) - 1)], *(list(row.values()) for row in table)]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)
