"""Where the images of an export lie: tools keep paths of other computers, rename on upload, and encode names."""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path, PurePosixPath
from urllib.parse import unquote

import cv2

from icsilib.data.annotations import plain_name
from icsilib.labels.parsing import label_files
from icsilib.labels.records import IMAGE_SUFFIXES, Options, Picture, Unusable

UPLOADED = re.compile(r"^[0-9a-f]{8}-")  # what Label Studio puts before the name of an uploaded image
_ELSEWHERE = re.compile(r"[A-Za-z]:[\\/]|[A-Za-z][\w+.-]*://")  # a Windows drive or an address
LONGEST_NAME, LONGEST_PATH = 255, 1024  # bytes; systems refuse longer ones
FRAME = "frame found by its video and number"
AMBIGUOUS = "several images of its name"


class Places:
    """The images below a folder, found by the names that an export's pictures have."""

    def __init__(self, folder: Path, pictures: Sequence[Picture]) -> None:
        self.folder = folder
        self.named: defaultdict[str, set[tuple[str, str]]] = defaultdict(set)  # bare name → pictures called so
        for picture in pictures:
            self.named[_plain(_bare(picture.name))].add((picture.beside, picture.name))

    def find(self, picture: Picture) -> tuple[str, str]:
        """The picture's file name relative to the folder, and what had to be done to find it ("" for nothing).

        Of several images of its bare name the one in a folder of the same name is meant. Raises `Unusable` where it
        is in doubt which image is meant, and for a name that leaves the folder.
        """
        try:
            local = _local(picture.name)
        except Unusable:
            local = ""
        if local and is_there(self.folder / local):
            return local, ""
        if picture.frame and len(found := self._files.get(_same(picture.frame), [])) == 1:
            return found[0], FRAME
        bare = _bare(picture.name)
        places, how = self._places(bare)
        doubtful = len(self.named[_plain(bare)]) > 1
        path = PurePosixPath(picture.name.replace("\\", "/"))
        parents = {path.parent.name, PurePosixPath(picture.beside).name} - {""}
        near = [place for place in places if PurePosixPath(place).parent.name in parents]
        if len(near) == 1 or (len(places) == 1 and not doubtful):
            return (near or places)[0], how
        if places or (doubtful and not local and bare != ".."):
            raise Unusable(AMBIGUOUS if local else f"path of another computer, and {AMBIGUOUS}")
        if local or ".." in path.parts or not bare:
            return local or _local(picture.name), ""
        return _local(bare), "path of another computer; only the name is kept"

    def _places(self, bare: str) -> tuple[list[str], str]:
        """The images that `bare` may mean, by its name, else by its name with another suffix."""
        for name in (_same(bare), _plain(bare)):
            if name in self._files:
                return self._files[name], "image found elsewhere in the folder by its name"
        return self._stems.get(_stem(_plain(bare)), []), "image found by its name with another suffix"

    @cached_property
    def _files(self) -> dict[str, list[str]]:
        """Images below the folder by bare name."""
        found: dict[str, list[str]] = {}
        for file in label_files(self.folder, *IMAGE_SUFFIXES):
            found.setdefault(_same(file.name), []).append(file.relative_to(self.folder).as_posix())
        return found

    @cached_property
    def _stems(self) -> dict[str, list[str]]:
        """Images below the folder by bare name without suffix."""
        found: dict[str, list[str]] = {}
        for name, files in self._files.items():
            found.setdefault(_stem(name), []).extend(files)
        return found


def folder_of_images(source: Path, options: Options) -> Path:
    """Folder that file names are relative to; images lie beside a folder `labels`, as `images`."""
    beside = source.is_file() or source.name == "labels"
    return options.images or (source.parent if beside else source)


def size_of(path: Path) -> tuple[int, int] | None:
    """(width, height) in px of an image file, upright as its EXIF record says; None where there is no such image."""
    pixels = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE) if is_there(path) else None
    return None if pixels is None else (pixels.shape[1], pixels.shape[0])


def is_there(path: Path) -> bool:
    """Whether a file lies at a path that an export names, which may be no path at all."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def _bare(name: str) -> str:
    return PurePosixPath(name.replace("\\", "/")).name


def _same(name: str) -> str:
    """A name without regard to case and to how accents are encoded, which differs between computers."""
    return unicodedata.normalize("NFC", name).casefold()


def _plain(bare: str) -> str:
    """A bare name as it was before a tool encoded it for an address or put its own mark before it."""
    return UPLOADED.sub("", plain_name(_same(unquote(bare))))


def _stem(name: str) -> str:
    """`name` without the suffix of an image."""
    return next((name.removesuffix(suffix) for suffix in IMAGE_SUFFIXES if name.endswith(suffix)), name)


def _local(name: str) -> str:
    """`name` as a relative path that stays in its folder; Windows separators become `/`."""
    path = PurePosixPath(name.replace("\\", "/"))
    if not path.name or path.is_absolute() or ".." in path.parts or "\0" in name or _ELSEWHERE.match(name):
        raise Unusable("file name leaves the folder of images")
    sizes = [len(part.encode(errors="replace")) for part in path.parts]
    if max(sizes) > LONGEST_NAME or sum(sizes) > LONGEST_PATH:
        raise Unusable(f"file name of more than {LONGEST_NAME} bytes")
    return str(path)
