import json
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from icsilib.data.annotations import Dataset, Image
from icsilib.data.splits import PARTS, Split, SplitError, make_split, read_split, write_split


def dataset(*frames: tuple[str | None, str | None]) -> Dataset:
    """One image for each (video, patient)."""
    images = [
        Image(id=i, file_name=f"{i}.png", width=8, height=8, video_id=video, patient_id=patient)
        for i, (video, patient) in enumerate(frames, start=1)
    ]
    return Dataset(images=images, annotations=[], categories=[])


def test_paper_a_split_has_its_counts():
    split = make_split([f"v{i}" for i in range(156)], {"train": 130, "validation": 3, "test": 23}, seed=0)
    assert (len(split.train), len(split.validation), len(split.test)) == (130, 3, 23)


def test_fractions_are_rounded_by_largest_remainder():
    split = make_split([f"p{i}" for i in range(30)], {"train": 0.8, "validation": 0.1, "test": 0.1}, 0, "patient_id")
    assert (len(split.train), len(split.validation), len(split.test)) == (24, 3, 3)
    eleven = make_split([f"p{i}" for i in range(11)], {"train": 0.8, "validation": 0.1, "test": 0.1}, 0)
    assert (len(eleven.train), len(eleven.validation), len(eleven.test)) == (9, 1, 1)  # 8.8, 1.1, 1.1


def test_strata_are_spread_over_the_parts():
    groups = [f"v{i:02}" for i in range(40)]
    kit = {group: "red" if i < 20 else "blue" for i, group in enumerate(groups)}
    for seed in range(20):
        split = make_split(groups, {"train": 20, "validation": 10, "test": 10}, seed, stratify=kit)
        for part, share in zip(PARTS, (10, 5, 5), strict=True):
            assert abs(Counter(kit[group] for group in getattr(split, part))["red"] - share) <= 1


@settings(deadline=None)
@given(st.sets(st.text(min_size=1), min_size=3, max_size=40), st.integers(0, 2**32), st.data())
def test_every_group_is_in_exactly_one_part(groups, seed, data):
    train = data.draw(st.integers(0, len(groups)))
    validation = data.draw(st.integers(0, len(groups) - train))
    sizes = {"train": train, "validation": validation, "test": len(groups) - train - validation}
    split = make_split(sorted(groups), sizes, seed)
    assert {part: len(getattr(split, part)) for part in PARTS} == sizes
    assert sorted((*split.train, *split.validation, *split.test)) == sorted(groups)
    assert split == make_split(sorted(groups, reverse=True), sizes, seed)  # seed and names alone decide


@given(st.lists(st.sampled_from("abcdef"), min_size=1, max_size=30), st.integers(0, 100))
def test_images_of_a_group_stay_together(videos, seed):
    data = dataset(*((video, None) for video in videos))
    groups = sorted(set(videos))
    split = make_split(groups, {"train": len(groups) - 1, "test": 1}, seed)
    parts = split.of(data)
    assert sorted(id for ids in parts.values() for id in ids) == [image.id for image in data.images]
    by_part = [{videos[id - 1] for id in parts[part]} for part in PARTS]
    assert sum(map(len, by_part)) == len(set.union(*by_part))


def test_round_trip(tmp_path):
    split = Split(by="video_id", train=("a", "b"), validation=(), test=("c",))
    write_split(split, tmp_path / "split.json")
    data = dataset(("a", None), ("b", None), ("c", None), ("a", None))
    assert read_split(tmp_path / "split.json", data) == split
    assert split.of(data) == {"train": [1, 2, 4], "validation": [], "test": [3]}


@pytest.mark.parametrize(
    ("content", "frames", "message"),
    [
        ({"train": ["a"], "validation": [], "test": ["a"]}, [("a", None)], "'a' is in train and in test"),
        (
            {"train": ["a"], "validation": [], "test": ["b"]},
            [("a", None), ("b", None), (None, None)],
            "has no video_id",
        ),
        ({"train": ["a"], "validation": [], "test": ["b"]}, [("a", None)], "'b' of the split is not in the data"),
        ({"train": ["a"], "validation": [], "test": []}, [("a", None), ("b", None)], "'b' of the data is in no part"),
        ({"train": ["a"], "validation": [], "test": ["b"]}, [("a", "p"), ("b", "p")], "'p' is in train and in test"),
        ({"train": ["a"], "validation": [], "test": [], "extra": []}, [("a", None)], "extra"),
        ({"train": "a", "validation": [], "test": []}, [("a", None)], "train"),
    ],
)
def test_a_bad_split_is_refused_with_one_line(tmp_path, content, frames, message):
    path = tmp_path / "split.json"
    path.write_text(json.dumps({"by": "video_id"} | content))
    with pytest.raises(SplitError) as caught:
        read_split(path, dataset(*frames))
    assert message in str(caught.value)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"train": 2}, "add up"),
        ({"train": 4, "test": -1}, "negative"),
        ({"train": 0.5, "test": 2.5}, "add up"),
        ({"trian": 3}, "unknown part 'trian'"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(sizes, message):
    with pytest.raises(SplitError, match=message):
        make_split(["a", "b", "c"], sizes, 0)


def test_a_missing_or_broken_file_is_refused(tmp_path):
    with pytest.raises(SplitError, match="no such file"):
        read_split(tmp_path / "none.json", dataset())
    (tmp_path / "bad.json").write_bytes(b"\xff\xfe\x00{")
    with pytest.raises(SplitError, match="not JSON"):
        read_split(tmp_path / "bad.json", dataset())
