"""The writer of phantom data sets: resumable, never half-written, never mixed; on a small made-up data set."""

import errno
import json
import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from icsilib.data.annotations import Image, box_annotation, read_coco
from icsilib.data.splits import make_split, read_split
from icsilib.data.structures import SPERM
from icsilib.phantoms import dataset as writer
from icsilib.phantoms.dataset import DatasetError, PhantomSet, read_description, verify_phantom_set, write_phantom_set
from icsilib.phantoms.datasheet import count_table

PROSE = "# Dots\n\n## Composition\n\nwhat\n\n{counts}\n\n## What these data are not\n\nnot data\n"


def render_dots(number, folder, seed, pause):
    """Three images of one bright pixel; image k of item n has k + 1 labels."""
    rng = np.random.default_rng((seed, number))
    images, annotations = [], []
    for k in range(3):
        pixels = rng.integers(0, 255, (16, 16), dtype=np.uint8)
        name = f"images/dots-{number}/{k}.png"
        folder.add_png(name, pixels)
        images.append(Image(id=k + 1, file_name=name, width=16, height=16, patient_id=f"dots-{number}", kit=f"kit-{k}"))
        for _ in range(k + 1):
            box = rng.integers(0, 8, 4).tolist()
            annotations.append(box_annotation(len(annotations) + 1, k + 1, SPERM, box))
        time.sleep(pause)
    return images, annotations


def split_dots(data):
    return make_split(sorted({image.patient_id for image in data.images}), {"train": 3, "test": 1}, 0, by="patient_id")


def dots(seed=0, pause=0.0):
    return PhantomSet(
        name="dots",
        items=[f"dots-{number}" for number in range(4)],
        render=partial(render_dots, seed=seed, pause=pause),
        parameters={"seed": seed},
        sources=("datasheet.py",),
        categories=(SPERM,),
        split=split_dots,
        datasheet=PROSE,
        count_by=("kit",),
    )


def content(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != ".lock"
    }


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return write_phantom_set(dots(), tmp_path_factory.mktemp("dots"), workers=1)


def test_records_and_files(whole):
    data = read_coco(whole / "annotations.json")
    assert [image.id for image in data.images] == list(range(1, 13))
    assert [item.id for item in data.annotations] == list(range(1, 25))  # 4 items of 1 + 2 + 3 labels
    assert [item.image_id for item in data.annotations][:7] == [1, 2, 2, 3, 3, 3, 4]
    assert all((whole / image.file_name).is_file() for image in data.images)
    assert len(read_split(whole / "split.json", data).train) == 3
    assert verify_phantom_set(whole) == {}


def test_the_datasheet_counts(whole):
    text = (whole / "datasheet.md").read_text()
    assert "## What these data are not\n\nnot data" in text
    assert "| part | patients | images | sperm |" in text
    assert "| train | 3 | 9 | 18 |" in text
    assert "| kit-2 | 4 | 4 | 12 |" in text


def test_count_table_by_hand(whole):
    data = read_coco(whole / "annotations.json")
    split = read_split(whole / "split.json", data)
    assert count_table(data, split, lambda image: image.id == 3, [True]) == [
        {"": True, "patients": 1, "images": 1, "sperm": 3}
    ]


def test_same_seed_same_bytes_from_several_processes(whole, tmp_path):
    assert content(write_phantom_set(dots(), tmp_path / "again", workers=2)) == content(whole)
    assert content(write_phantom_set(dots(seed=1), tmp_path / "other", workers=1)) != content(whole)


def test_a_complete_set_is_not_touched(whole, monkeypatch):
    monkeypatch.setattr(writer, "_render_item", lambda *_: pytest.fail("rendered again"))
    before = {path: path.stat().st_mtime_ns for path in whole.rglob("[!.]*")}
    write_phantom_set(dots(), whole)
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_only_what_is_missing_is_rendered(whole, tmp_path, monkeypatch):
    folder = write_phantom_set(dots(), tmp_path / "dots", workers=1)
    (folder / "images/dots-2/1.png").unlink()
    (folder / "items/dots-3.json").write_text("{")
    rendered, render = [], writer._render_item
    monkeypatch.setattr(writer, "_render_item", lambda *job: (rendered.append(job[2]), render(*job)))
    write_phantom_set(dots(), folder, workers=1)
    assert rendered == [2, 3]
    assert content(folder) == content(whole)


def test_other_parameters_are_refused_and_force_replaces(whole, tmp_path):
    folder = write_phantom_set(dots(seed=1), tmp_path / "dots", workers=1)
    with pytest.raises(DatasetError, match=r"dots: holds a data set of other parameters; .*--force"):
        write_phantom_set(dots(), folder, workers=1)
    write_phantom_set(dots(), folder, workers=1, force=True)
    assert content(folder) == content(whole)


def test_other_code_is_refused(tmp_path):
    folder = write_phantom_set(dots(), tmp_path / "dots", workers=1)
    about = read_description(folder)
    (folder / "dataset.json").write_text(json.dumps(about | {"generator_sha256": "0" * 64}))
    with pytest.raises(DatasetError, match="other generator_sha256"):
        write_phantom_set(dots(), folder, workers=1)


def test_a_folder_of_other_things_is_refused_even_by_force(tmp_path):
    (tmp_path / "thesis.txt").write_text("dear")
    with pytest.raises(DatasetError, match="not empty"):
        write_phantom_set(dots(), tmp_path, force=True)
    assert [path.name for path in tmp_path.iterdir() if path.name[0] != "."] == ["thesis.txt"]


def test_verify_names_the_damaged_file(tmp_path):
    folder = write_phantom_set(dots(), tmp_path / "dots", workers=1)
    image = folder / "images/dots-1/0.png"
    damaged = bytearray(image.read_bytes())
    damaged[-20] ^= 1
    image.write_bytes(damaged)
    (folder / "images/dots-1/2.png").unlink()
    assert verify_phantom_set(folder) == {
        "images/dots-1/0.png": "not the bytes that were written",
        "images/dots-1/2.png": "missing",
    }
    assert list(verify_phantom_set(tmp_path)) == ["dataset.json"]


def test_a_full_disk_is_one_clear_line_and_the_next_run_continues(whole, tmp_path, monkeypatch):
    written, write_bytes = [], Path.write_bytes

    def fill_up(path, data):
        if len(written) == 7:
            write_bytes(path, data[: len(data) // 2])
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        written.append(path)
        return write_bytes(path, data)

    with monkeypatch.context() as full:
        full.setattr(Path, "write_bytes", fill_up)
        with pytest.raises(DatasetError, match=r"No space left on device; make room .* continues") as caught:
            write_phantom_set(dots(), tmp_path / "dots", workers=1)
    assert "\n" not in str(caught.value)
    left = content(tmp_path / "dots")
    assert {name: left[name] for name in left if name != "dataset.json"}.items() <= content(whole).items()
    write_phantom_set(dots(), tmp_path / "dots", workers=1)
    assert content(tmp_path / "dots") == content(whole)


def test_a_disk_that_is_full_in_a_worker_process(tmp_path):
    (tmp_path / "dots").mkdir()
    (tmp_path / "dots/images").write_text("")  # a file where a folder must go; begun sets may hold anything
    (tmp_path / "dots/dataset.json").write_text(json.dumps(dots().identity() | {"complete": False}))
    with pytest.raises(DatasetError, match=r"images/dots-\d"):
        write_phantom_set(dots(), tmp_path / "dots", workers=2)


def test_an_unwritable_folder_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DatasetError, match=r"file/dots: Not a directory; .*choose a folder that can be written"):
        write_phantom_set(dots(), tmp_path / "file" / "dots")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_folder_is_named(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(DatasetError, match="Permission denied"):
        write_phantom_set(dots(), tmp_path / "dots")


@pytest.mark.parametrize("moment", [1, 4, 9])  # files written before the blow falls
def test_killed_at_any_moment_it_continues(whole, tmp_path, moment):
    out = tmp_path / "dots"
    code = f"import test_dataset as t; t.write_phantom_set(t.dots(pause=0.05), {str(out)!r}, workers=2)"
    process = subprocess.Popen(
        [sys.executable, "-c", f"if __name__ == '__main__':\n {code}"],
        cwd=Path(__file__).parent,
        stdout=subprocess.PIPE,
    )
    deadline = time.monotonic() + 60
    while len(list(out.rglob("images/*/[0-9].png"))) < moment and time.monotonic() < deadline:
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)  # the parent alone: its workers must notice
    process.communicate(timeout=20)  # ends when the last process that holds the pipe does
    assert not (out / "annotations.json").exists()
    expected = content(whole)
    for name, data in content(out).items():
        hidden = Path(name).name.startswith(".partial-")
        assert hidden or name == "dataset.json" or data == expected[name]
    write_phantom_set(dots(), out, workers=1)
    assert content(out) == expected
