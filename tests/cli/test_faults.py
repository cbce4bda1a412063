"""Every command that writes, on a full disk, into a folder that cannot be made, and stopped by Ctrl-C: one line.

The errors are the kernel's: `RLIMIT_FSIZE` ends a file where a full disk would, and nothing can be made below a device.
"""

import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from icsilib.data.annotations import Dataset, Image, box_annotation, write_coco
from icsilib.data.structures import SPERM
from icsilib.phantoms.icsi_dataset import write_icsi_dataset

COMMANDS = {
    "data convert": "DATA/boxes/a.json OUT/a.json --images DATA/boxes",
    "data frames": "VIDEO --out OUT",
    "phantom icsi": "--videos 3 --size 64 --every 20 --workers 1 --out OUT",
    "phantom biopsy": "--images 30 --workers 1 --out OUT",
    "agree outlines": "DATA/annotations.json DATA/again.json --by-file --table OUT/pairs.csv",
    "agree boxes": "DATA/boxes/a.json DATA/boxes/b.json --by-file --out OUT/consensus.json",
    "segment predict": "DATA/boxes/0.png --once --out OUT",
    "segment train": "DATA --profile quick --out OUT",
    "segment evaluate": "DATA --once --part all --table OUT/frames.csv",
    "detect predict": "DATA/boxes/0.png --threshold 0 --out OUT/boxes.json",
}
START = "import sys; sys.argv[0] = 'icsi'; from icsilib.cli import app; app()"
FULL = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100)); "
STOPPED = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it
def stop(event, args, done=[]):
    if event in ("open", "os.mkdir", "tempfile.mkstemp") and sys.argv[-1] in str(args[0]) and not done:
        done.append(signal.raise_signal(signal.SIGINT))
sys.addaudithook(stop)
"""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_icsi_dataset(tmp_path_factory.mktemp("faults"), videos=3, size=64, every=20, mp4=True, workers=1)
    (folder / "again.json").write_bytes((folder / "annotations.json").read_bytes())
    (folder / "boxes").mkdir()
    pixels = np.random.default_rng(0).integers(0, 255, (400, 400, 3), dtype=np.uint8)
    images = [Image(id=k, file_name=f"{k}.png", width=400, height=400) for k in range(2)]
    for image in images:
        cv2.imwrite(str(folder / "boxes" / image.file_name), pixels)
    boxes = [box_annotation(k, k, SPERM, (20, 30, 60, 40)) for k in range(2)]
    for name in ("a.json", "b.json"):
        write_coco(Dataset(images=images, annotations=boxes, categories=[SPERM]), folder / "boxes" / name)
    return folder


def run(before: str, command: str, data: Path, out: Path) -> subprocess.CompletedProcess[str]:
    video = next(data.rglob("*.mp4"))
    words = [word.replace("DATA", str(data)).replace("VIDEO", str(video)) for word in COMMANDS[command].split()]
    words = [*command.split(), *(word.replace("OUT", str(out)) for word in words)]
    return subprocess.run([sys.executable, "-c", before + START, *words], capture_output=True, text=True, timeout=300)


def told(done: subprocess.CompletedProcess[str]) -> str:
    """The one line that a command ended with."""
    assert "Traceback" not in done.stderr + done.stdout
    last = done.stderr.strip().splitlines()[-1]
    assert sum(line.startswith(("Error:", "Stopped.")) for line in done.stderr.splitlines()) == 1
    return last


@pytest.mark.parametrize("command", COMMANDS)
def test_a_full_disk_ends_with_one_line_and_leaves_no_file_of_a_final_name_that_is_not_whole(
    command: str, data: Path, tmp_path: Path
) -> None:
    done = run(FULL, command, data, tmp_path / "out")
    assert done.returncode == 1, done.stderr
    assert told(done).startswith("Error: ")
    assert [path for path in tmp_path.rglob("*") if path.is_file() and path.stat().st_size >= 100] == []


@pytest.mark.parametrize("command", COMMANDS)
def test_a_folder_that_cannot_be_made_ends_with_one_line(command: str, data: Path) -> None:
    done = run("", command, data, Path("/dev/null/out"))
    assert done.returncode == 1, done.stderr
    assert "/dev/null" in told(done)


@pytest.mark.parametrize("command", [name for name in COMMANDS if not name.endswith("convert")])
def test_ctrl_c_ends_with_one_line(command: str, data: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    done = run(STOPPED.replace("sys.argv[-1]", repr(str(tmp_path / "out"))), command, data, tmp_path / "out")
    assert (done.returncode, told(done)) == (130, "Stopped.")
