"""A user's own recordings and labels on their way into the study's layout."""

import re
from pathlib import Path, PurePosixPath
from typing import Any

from icsilib.data.annotations import AnnotationError, Dataset
from icsilib.data.images import write_png
from icsilib.data.splits import By
from icsilib.data.video import frame_name, read_frames
from icsilib.files import remove_partials

STORAGE = re.compile(
    r"(images?|imgs?|frames?|labels?|pictures?|photos?|jpegimages|annotations|data|datasets?|default"
    r"|train(ing)?|val(id(ation)?)?|test(ing)?|obj_\w+_data)",
    re.IGNORECASE,
)  # folders that name neither a video nor a patient


def write_frames(video: Path, folder: Path, every: int = 3, **options: Any) -> int:
    """Write every `every`-th frame of a video as grey PNG, called by `frame_name`, into `folder`; returns how many.

    `options` are those of `read_frames`. A damaged video leaves the frames that can be decoded and then raises
    `DamagedVideoError`.
    """
    remove_partials(folder)
    count = 0
    for index, frame in read_frames(video, every, **options):
        write_png(folder / frame_name(video, index), frame)
        count += 1
    return count


def with_names_from(dataset: Dataset, images: Path, base: Path) -> Dataset:
    """The data set with its file names, which are relative to `images`, made relative to the folder `base`.

    Raises `AnnotationError` where the images are not below `base`.
    """
    there, here = images.resolve(), base.resolve()
    if not there.is_relative_to(here):
        raise AnnotationError(f"{images}: is not below {base}; write the annotations into a folder above the images")
    prefix = PurePosixPath(there.relative_to(here).as_posix())
    renamed = [image.model_copy(update={"file_name": str(prefix / image.file_name)}) for image in dataset.images]
    return dataset.model_copy(update={"images": renamed})


def grouped_by_folder(dataset: Dataset, field: By) -> Dataset:
    """The data set with `video_id` or `patient_id` of each image set to the name of its folder.

    Of `Train/11/images/a.png` that is 11: folders that say how a set is stored are passed over. Raises
    `AnnotationError` for an image in no other folder, and where two folders have one name.
    """
    images = []
    places: dict[str, list[str]] = {}
    for image in dataset.images:
        parts = list(PurePosixPath(image.file_name).parent.parts)
        while parts and STORAGE.fullmatch(parts[-1]):
            parts.pop()
        if not parts:
            remedy = "put the images of each into a folder of its name"
            raise AnnotationError(f"{image.file_name}: lies in no folder that could name its {field}; {remedy}")
        if (first := places.setdefault(parts[-1], parts)) != parts:
            both = f"{'/'.join(first)} and {'/'.join(parts)}"
            raise AnnotationError(f"{both}: two folders are called {parts[-1]}; rename one, or join them if it is one")
        images.append(image.model_copy(update={field: parts[-1]}))
    return dataset.model_copy(update={"images": images})
