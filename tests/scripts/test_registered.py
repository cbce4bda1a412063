"""Registered sets are checked by digest before they are scored, and scored once."""

from datetime import date
from pathlib import Path
from types import ModuleType

import pytest
from script_files import load_script

from icsilib.phantoms.dataset import read_description
from icsilib.phantoms.icsi_dataset import write_icsi_dataset
from icsilib.study import looks


@pytest.fixture(scope="module")
def script() -> ModuleType:
    return load_script("registered")


def registration(folder: Path) -> looks.Registration:
    digests = {key: read_description(folder)[key] for key in ("annotations_sha256", "files_sha256")}
    about = {"paper": "A", "what": "toy", "date": date(2026, 12, 1), "seed": 7, "code": "abc1234", "protocol": "none"}
    return looks.Registration(command="icsi phantom icsi --videos 3 --seed 7", **about, **digests)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_icsi_dataset(tmp_path_factory.mktemp("set") / "toy", 3, 7, size=64, every=60, workers=1)


def test_the_registered_bytes_are_taken_and_others_refused(script: ModuleType, folder: Path) -> None:
    registered = registration(folder)
    script.check_digests(folder, registered)
    with pytest.raises(
        script.RegistrationError, match=r"files_sha256 is not the registered one; render with .* abc1234"
    ):
        script.check_digests(folder, registered.model_copy(update={"files_sha256": "0" * 64}))
    picture = next(folder.glob("frames/*/*.png"))
    content = picture.read_bytes()
    picture.write_bytes(content + b"\0")
    with pytest.raises(script.RegistrationError, match="delete the folder and render again"):
        script.check_digests(folder, registered)
    picture.write_bytes(content)


def test_a_scoring_is_entered_among_the_looks(
    script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = tmp_path / "looks.yaml"
    copy.write_text("old:\n  paper: B\n  what: old patients\n")
    monkeypatch.setattr(script, "LOOKS", copy)
    assert looks.looked_at("registered-videos", copy) == 0
    script.enter("registered-videos", "64c08f5aaa")
    assert looks.looked_at("registered-videos", copy) == 1
    assert looks.read_looks(copy)["registered-videos"].scorings[0].revision == "64c08f5"
