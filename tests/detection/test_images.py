from dataclasses import replace

import cv2
import numpy as np
import pytest

from icsilib.data.annotations import AnnotationError, Dataset, Image, box_annotation, write_coco
from icsilib.data.images import read_rgb
from icsilib.data.splits import Split, write_split
from icsilib.data.structures import IMPURITY, SPERM
from icsilib.detection.images import TrainingInputs, images_of, labelled_images
from icsilib.detection.settings import Settings


def dataset():
    images = [
        Image(id=2, file_name="b.png", width=40, height=30, patient_id="p2"),
        Image(id=1, file_name="a.png", width=40, height=30, patient_id="p1"),
        Image(id=3, file_name="c.png", width=40, height=30, patient_id="p3"),
    ]
    annotations = [
        box_annotation(1, 1, SPERM, [1, 2, 3, 4], annotator="reader-1", phenotype="bent tail"),
        box_annotation(2, 1, IMPURITY, [9, 9, 9, 9]),
        box_annotation(3, 1, SPERM, [5, 6, 7, 8], annotator="reader-2"),
    ]
    return Dataset(images=images, annotations=annotations, categories=[SPERM, IMPURITY])


def test_sperm_are_kept_and_impurities_are_background():
    first, second, _ = labelled_images(dataset(), "/data")
    assert (first.id, str(first.path), first.group) == (1, "/data/a.png", "p1")
    assert first.boxes.tolist() == [[1, 2, 3, 4], [5, 6, 7, 8]]
    assert first.phenotypes == ("bent tail", "")
    assert second.boxes.shape == (0, 4)


def test_one_reader_alone():
    assert labelled_images(dataset(), "", annotator="reader-2")[0].boxes.tolist() == [[5, 6, 7, 8]]


def test_sperm_by_another_of_its_names_are_sperm():
    renamed = dataset()
    renamed.categories[0] = SPERM.model_copy(update={"name": "Sperm cell"})
    assert [len(image.boxes) for image in labelled_images(renamed, "")] == [2, 0, 0]


def test_labels_of_which_none_is_a_sperm_are_refused():
    strange = dataset()
    strange.categories[0] = SPERM.model_copy(update={"name": "Zelle"})
    with pytest.raises(
        AnnotationError, match=r"set: none of the 3 labels is called sperm, but Zelle, impurity; .*--label"
    ):
        labelled_images(strange, "set")


def test_a_sperm_without_a_box_is_an_error_that_names_it():
    spoiled = dataset()
    spoiled.annotations[0].bbox = [1, 2, 0, 4]
    with pytest.raises(AnnotationError, match="annotation 1: a sperm needs a box"):
        labelled_images(spoiled, "")


def test_parts_of_a_folder(tmp_path):
    write_coco(dataset(), tmp_path / "annotations.json")
    split = Split(by="patient_id", train=("p1",), validation=("p3",), test=("p2",))
    write_split(split, tmp_path / "split.json")
    assert [image.id for image in images_of(tmp_path)] == [1, 2, 3]
    assert [image.id for image in images_of(tmp_path, "test")] == [2]
    with pytest.raises(ValueError, match="part 'tests': unknown; choose all, train"):
        images_of(tmp_path, "tests")


def test_images_are_read_as_rgb(tmp_path):
    cv2.imwrite(str(tmp_path / "red.png"), np.full((4, 5, 3), (0, 0, 255), np.uint8))
    assert read_rgb(tmp_path / "red.png")[0, 0].tolist() == [255, 0, 0]


def test_an_epoch_visits_an_image_once_for_every_four_sperm_begun_and_the_empty_once():
    first, second, third = labelled_images(dataset(), "")
    crowded = replace(first, boxes=np.ones((9, 4)))
    visited = TrainingInputs([crowded, second, third], Settings("test", sperm_per_visit=4), seed=0).images
    assert [image.id for image in visited] == [1, 1, 1, 2, 3]
