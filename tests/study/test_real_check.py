"""The comparison on real people: the plain segmenter on a drawn cell, and one row on counted overlaps."""

import cv2
import numpy as np

from icsilib.study import model_as_annotator


def test_the_plain_segmenter_finds_most_of_a_textured_cell_and_nothing_beside_it() -> None:
    rng = np.random.default_rng(0)
    cell = np.zeros((200, 200), np.uint8)
    cv2.circle(cell, (100, 90), 45, 1, -1)
    texture = cv2.GaussianBlur(rng.normal(0, 1, cell.shape), (0, 0), 3)
    image = np.where(cell, 120 + 300 * texture, 120).clip(0, 255).astype(np.uint8)
    found = model_as_annotator.plain_segmenter(image)
    assert not (found & (cell == 0)).any()
    assert found.sum() > cell.sum() / 2


def test_someone_who_labels_as_the_others_do_does_not_differ_from_them() -> None:
    rng = np.random.default_rng(0)
    people = np.zeros((4, 1, 12, 40, 40), dtype=bool)
    for a in range(4):
        for f in range(12):
            y, x = rng.integers(9, 12, 2)
            people[a, 0, f, y : y + 20, x : x + 20] = True
    like = model_as_annotator._row(people[0, 0], people[1:], margin=0.2, alpha=0.05)
    assert like["low"] < 0 < like["high"]
    assert like["equivalent"]
    shifted = np.roll(people[0, 0], 9, axis=-1)
    unlike = model_as_annotator._row(shifted, people[1:], margin=0.2, alpha=0.05)
    assert unlike["high"] < -0.2  # overlap of 11 in 20 columns: IoU falls by more than the margin
    assert not unlike["equivalent"]
