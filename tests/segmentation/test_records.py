from dataclasses import replace

import cv2
import numpy as np
import pytest

from icsilib.data.annotations import AnnotationError, mask_of, tip_of
from icsilib.data.preprocess import Preprocess, geometry
from icsilib.data.structures import NEEDLE, OOLEMMA, SUCTION_PIPETTE
from icsilib.data.video import write_mp4
from icsilib.segmentation.records import annotations_of, read_source
from icsilib.segmentation.segmenter import Look, Prediction


def prediction(confidence=0.8):
    masks = np.zeros((2, 40, 60), bool)
    masks[0, 10:30, 20:40] = True
    masks[1, 5:9, 0:10] = True
    masks[1, 30:32, 50:52] = True  # a speck of 4 px²
    look = Look(np.ones((1, 1), np.float32), geometry((60, 40), Preprocess(64)))
    return Prediction(masks, np.array([33.5, 20.25]), confidence, masks.astype(np.float32), look)


def test_masks_come_back_from_their_polygons_without_specks():
    oolemma, pipette, needle = annotations_of(prediction(), image_id=7, first_id=3, minimum_confidence=0.5)
    assert [a.category_id for a in (oolemma, pipette, needle)] == [OOLEMMA.id, SUCTION_PIPETTE.id, NEEDLE.id]
    assert [a.id for a in (oolemma, pipette, needle)] == [3, 4, 5]
    assert {a.image_id for a in (oolemma, pipette, needle)} == {7}
    np.testing.assert_array_equal(mask_of(oolemma, 40, 60), prediction().masks[0])
    assert mask_of(pipette, 40, 60).sum() == 40
    assert tip_of(needle).tolist() == [33.5, 20.25]
    assert needle.model_extra["score"] == 0.8


def test_a_region_one_pixel_thin_keeps_its_outline():
    thin = prediction().masks.copy()
    thin[0] = False
    thin[0, 10, 5:40] = True
    oolemma, *_ = annotations_of(replace(prediction(), masks=thin), image_id=1, first_id=1, minimum_confidence=0.5)
    np.testing.assert_array_equal(mask_of(oolemma, 40, 60), thin[0])


def test_a_tip_without_confidence_is_left_out():
    found = annotations_of(prediction(0.3), image_id=1, first_id=1, minimum_confidence=0.5)
    assert NEEDLE.id not in {a.category_id for a in found}


def test_every_third_frame_of_a_video(tmp_path):
    frames = [np.full((32, 48), 20 * k, np.uint8) for k in range(8)]
    write_mp4(frames, tmp_path / "v.mp4")
    read = list(read_source(tmp_path / "v.mp4", every=3))
    assert [index for index, _ in read] == [0, 3, 6]
    assert [round(float(image.mean()) / 20) for _, image in read] == [0, 3, 6]


def test_what_is_no_image_is_refused(tmp_path):
    (tmp_path / "a.png").write_text("text")
    with pytest.raises(AnnotationError, match=r"a\.png: no image that OpenCV can read"):
        list(read_source(tmp_path / "a.png"))


def test_a_file_of_several_images_is_refused(tmp_path):
    cv2.imwritemulti(str(tmp_path / "a.tif"), [np.zeros((8, 8), np.uint8)] * 2)
    with pytest.raises(AnnotationError, match=r"a\.tif: holds 2 images; save each as a file of its own"):
        list(read_source(tmp_path / "a.tif"))
