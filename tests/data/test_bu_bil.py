import cv2
import numpy as np
import pytest

from icsilib.data import bu_bil
from icsilib.data.annotations import AnnotationError


@pytest.fixture
def folder(tmp_path):
    """Two people, two tools, two frames of different size; each mask is one pixel, unique to its cell."""
    root = tmp_path / "BU-BIL_Dataset1"
    for name, shape in (("B01", (4, 5)), ("B02", (6, 7))):
        _write(root / "RawImages" / f"{name}.png", np.full(shape, 9, np.uint8))
        for person in (1, 2):
            for column, tool in enumerate(("Amira", "ImageJ")):
                mask = np.full((*shape, 3) if tool == "ImageJ" else shape, 255, np.uint8)
                mask[person, column] = 24 if tool == "ImageJ" else 0
                prefix = "Seg" if (name, person) == ("B01", 2) else "seg"  # sorted order would swap the frames
                _write(root / "ExpertsAnnotations" / f"Person{person}_{tool}" / f"{prefix}_{name}.png", mask)
    return tmp_path


def _write(path, image):
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), image)


def test_masks_are_matched_by_name_and_foreground_is_zero(folder):
    data = bu_bil.load(folder)
    assert (data.people, data.tools, data.frames) == (("Person1", "Person2"), ("Amira", "ImageJ"), ("B01", "B02"))
    assert data.masks.shape == (2, 2, 2, 6, 7)
    assert data.sizes.tolist() == [[4, 5], [6, 7]]
    for person in range(2):
        for tool in range(2):
            for frame in range(2):
                assert np.argwhere(data.masks[person, tool, frame]).tolist() == [[person + 1, tool]]
    assert bu_bil.copied(data) == ()


def test_copied_people_are_named(folder):
    experts = folder / "BU-BIL_Dataset1" / "ExpertsAnnotations"
    for name in ("Seg_B01.png", "seg_B02.png"):
        (experts / "Person2_ImageJ" / name).write_bytes((experts / "Person2_Amira" / name).read_bytes())
    assert bu_bil.copied(bu_bil.load(folder)) == ("Person2",)


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("ExpertsAnnotations/Person1_Amira/seg_B02.png", "no mask of B02"),
        ("RawImages/B01.png", None),  # a mask without its image is not a frame
    ],
)
def test_a_missing_file(folder, path, message):
    (folder / "BU-BIL_Dataset1" / path).unlink()
    if message is None:
        assert bu_bil.load(folder).frames == ("B02",)
    else:
        with pytest.raises(AnnotationError, match=message):
            bu_bil.load(folder)


def test_a_mask_of_another_size_is_refused(folder):
    path = folder / "BU-BIL_Dataset1" / "ExpertsAnnotations" / "Person1_Amira" / "seg_B02.png"
    _write(path, np.zeros((2, 2), np.uint8))
    with pytest.raises(AnnotationError, match="its image"):
        bu_bil.load(folder)


def test_a_missing_folder_names_the_remedy(tmp_path):
    with pytest.raises(AnnotationError, match="icsi data fetch bu-bil"):
        bu_bil.load(tmp_path)
