"""Splits by video or patient, never by frame, and refused wherever one would leak.

A split is a JSON file that lists the groups of each part:

    {"by": "video_id", "train": ["v01", …], "validation": ["v07"], "test": ["v09", …]}
"""

import json
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from icsilib.data.annotations import Dataset, Image
from icsilib.errors import IcsiError
from icsilib.files import write_text_atomic

By = Literal["video_id", "patient_id"]
PARTS = ("train", "validation", "test")


class SplitError(IcsiError):
    """A split that leaks or does not fit its data; the message names the group and the remedy."""


class Split(BaseModel):
    """The groups (videos or patients) of each part. No group is in two parts."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    by: By
    train: tuple[str, ...]
    validation: tuple[str, ...]
    test: tuple[str, ...]

    @model_validator(mode="after")
    def _no_group_twice(self) -> "Split":
        seen: dict[str, str] = {}
        for part in PARTS:
            for group in getattr(self, part):
                if group in seen:
                    raise ValueError(f"{self.by} {group!r} is in {seen[group]} and in {part}; keep it in one")
                seen[group] = part
        return self

    @cached_property
    def part_of(self) -> dict[str, str]:
        """The part of each group."""
        return {group: part for part in PARTS for group in getattr(self, part)}

    def of(self, dataset: Dataset) -> dict[str, list[int]]:
        """Image ids of `dataset` by part, in the dataset's order; checks the split against it (`check`)."""
        self.check(dataset)
        ids: dict[str, list[int]] = {part: [] for part in PARTS}
        for image in dataset.images:
            ids[self.part_of[_group(image, self.by)]].append(image.id)
        return ids

    def check(self, dataset: Dataset) -> None:
        """Raise `SplitError` where an image has no group, a group has no part, or a part names an unknown group.

        A split by video also may not put videos of one patient into two parts, where patients are known.
        """
        present = {_group(image, self.by) for image in dataset.images}
        listed = set(self.part_of)
        for group in sorted(present - listed):
            raise SplitError(f"{self.by} {group!r} of the data is in no part of the split; add it to one")
        for group in sorted(listed - present):
            raise SplitError(f"{self.by} {group!r} of the split is not in the data; remove it or read the right data")
        if self.by == "video_id":
            self._check_patients(dataset)

    def _check_patients(self, dataset: Dataset) -> None:
        parts: dict[str, str] = {}
        for image in dataset.images:
            if image.patient_id is not None:
                part = self.part_of[_group(image, self.by)]
                if parts.setdefault(image.patient_id, part) != part:
                    where = f"{parts[image.patient_id]} and in {part}"
                    raise SplitError(f"patient_id {image.patient_id!r} is in {where}; split by patient_id instead")


def groups_of(dataset: Dataset, by: By) -> list[str]:
    """The videos or patients of `dataset`, each once; raises `SplitError` for an image that names none."""
    return sorted({_group(image, by) for image in dataset.images})


def make_split(
    groups: Sequence[str],
    sizes: Mapping[str, float],
    seed: int,
    by: By = "video_id",
    stratify: Mapping[str, Any] | None = None,
) -> Split:
    """Draw a split of `groups` at random: `sizes` of train, validation and test as counts or as fractions of 1.

    Counts must add up to the number of groups; fractions are rounded so that they do. `stratify` maps each group
    to a stratum (such as its kit or number of sperm): each part receives about its share of every stratum.
    """
    names = sorted(set(groups))
    if len(names) != len(groups):
        raise SplitError("groups: a group occurs twice; give each video or patient once")
    counts = _counts(len(names), sizes)
    ordered = _interleaved(names, np.random.default_rng(seed), stratify)
    parts: dict[str, list[str]] = {part: [] for part in PARTS}
    for group in ordered:  # to the part that is furthest behind its share, so that neighbours spread over parts
        behind = {part: (len(parts[part]) + 0.5) / counts[part] for part in PARTS if len(parts[part]) < counts[part]}
        parts[min(behind, key=behind.__getitem__)].append(group)
    return Split(by=by, **{part: tuple(sorted(members)) for part, members in parts.items()})


def write_split(split: Split, path: Path | str) -> None:
    """Write `split` as JSON. The write is atomic."""
    write_text_atomic(path, json.dumps(split.model_dump(mode="json"), indent=1, ensure_ascii=False) + "\n")


def read_split(path: Path | str, dataset: Dataset) -> Split:
    """Read a split and check it against `dataset`; raises `SplitError` naming file, group and remedy."""
    path = Path(path)
    try:
        split = Split.model_validate(json.loads(path.read_text(encoding="utf-8-sig")))
        split.check(dataset)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "split"
        raise SplitError(f"{path}: {where}: {first['msg']}") from None
    except FileNotFoundError:
        raise SplitError(f"{path}: no such file; make it with `icsi data split`") from None
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise SplitError(f"{path}: not JSON in UTF-8 ({error}); write it again with `write_split`") from None
    except SplitError as error:
        raise SplitError(f"{path}: {error}") from None
    return split


def _group(image: Image, by: By) -> str:
    group: str | None = getattr(image, by)
    if group is None:
        remedy = f"give every image its {by}, or convert with --folder-is {by}"
        raise SplitError(f"image {image.id} ({image.file_name}) has no {by}; {remedy}")
    return group


def _counts(total: int, sizes: Mapping[str, float]) -> dict[str, int]:
    """Number of groups of each part; fractions are rounded by largest remainder."""
    if unknown := set(sizes) - set(PARTS):
        raise SplitError(f"sizes: unknown part {sorted(unknown)[0]!r}; the parts are {', '.join(PARTS)}")
    wanted = np.array([float(sizes.get(part, 0)) for part in PARTS])
    if (wanted < 0).any():
        raise SplitError("sizes: a part is negative; give counts or fractions of 1")
    if abs(wanted.sum() - 1) < 1e-9 and total != 1:
        wanted = wanted * total
        counts = np.floor(wanted + 1e-9)
        order = np.argsort(-(wanted - counts), kind="stable")
        counts[order[: total - int(counts.sum())]] += 1
    else:
        counts = wanted
    if counts.sum() != total or (counts != np.round(counts)).any():
        raise SplitError(f"sizes: {wanted.tolist()} do not add up to the {total} groups; correct them")
    return {part: int(count) for part, count in zip(PARTS, counts, strict=True)}


def _interleaved(names: list[str], rng: np.random.Generator, stratify: Mapping[str, Any] | None) -> list[str]:
    """`names` shuffled; with `stratify`, shuffled within strata that follow one another."""
    shuffled = [names[i] for i in rng.permutation(len(names))]
    if stratify is None:
        return shuffled
    if missing := [name for name in names if name not in stratify]:
        raise SplitError(f"stratify: no stratum for {missing[0]!r}; give one for every group")
    return sorted(shuffled, key=lambda name: str(stratify[name]))
