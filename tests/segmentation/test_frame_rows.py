import pytest

from icsilib.data.annotations import Dataset, Image, polygon_annotation, tip_annotation
from icsilib.data.structures import ICSI_CATEGORIES, OOLEMMA, SUCTION_PIPETTE
from icsilib.segmentation.frame_rows import frame_rows


def box(id, image_id, category, left, top, right, bottom):
    return polygon_annotation(id, image_id, category, [[[left, top], [right, top], [right, bottom], [left, bottom]]])


def dataset(um_per_px=None, pipette_right=18):
    images = [
        Image(id=1, file_name="frames/v/v_000000.png", width=200, height=100, video_id="v.mp4", frame_index=0),
        Image(id=2, file_name="frames/v/v_000006.png", width=200, height=100, video_id="v.mp4", frame_index=6),
        Image(id=3, file_name="a.png", width=200, height=100),
    ]
    images = [image.model_copy(update={"um_per_px": um_per_px, "tip_confidence": 0.5}) for image in images]
    labels = [
        box(1, 1, OOLEMMA, 20, 10, 60, 50),
        box(2, 1, SUCTION_PIPETTE, 0, 20, pipette_right, 40),
        tip_annotation(3, 1, [30.25, 20.0]),
        box(4, 2, OOLEMMA, 20, 10, 60, 50),
        tip_annotation(5, 2, [90.0, 20.0]),
    ]
    return Dataset(images=images, annotations=labels, categories=list(ICSI_CATEGORIES))


def test_a_row_for_each_frame_in_pixels():
    first, second, photograph = frame_rows(dataset(), {"v.mp4": 15.0})
    assert first == {
        "file": "v.mp4",
        "frame": 0,
        "seconds": 0.0,
        "tip_x_px": 30.25,
        "tip_y_px": 20.0,
        "tip_confidence": 0.5,
        "oolemma_area_px2": 1600,
        "oolemma_x_px": 40.0,
        "oolemma_y_px": 30.0,
        "pipette_area_px2": 360,
        "pipette_x_px": 9.0,
        "pipette_y_px": 30.0,
        "tip_in_oolemma": True,
        "pipette_touches_oolemma": False,
    }
    assert (second["seconds"], second["tip_in_oolemma"], second["pipette_area_px2"]) == (0.4, False, 0)
    assert (second["pipette_x_px"], second["pipette_touches_oolemma"]) == (None, None)
    assert (photograph["file"], photograph["seconds"], photograph["tip_x_px"]) == ("a.png", None, None)
    assert list(first) == list(photograph)


def test_lengths_in_micrometres_where_the_scale_is_known():
    first, *_ = frame_rows(dataset(um_per_px=0.5), {})
    assert (first["tip_x_um"], first["oolemma_y_um"]) == (pytest.approx(15.12, abs=0.01), 15.0)
    assert first["seconds"] is None


def test_outlines_two_pixels_apart_touch_in_a_frame_of_200():
    # Pixels 17 and 20 of a row: their centres are 3 px apart; 18 and 20: 2 px, 1 % of 200.
    assert not frame_rows(dataset(pipette_right=18), {})[0]["pipette_touches_oolemma"]
    assert frame_rows(dataset(pipette_right=19), {})[0]["pipette_touches_oolemma"]
