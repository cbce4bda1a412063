"""The manifest: every data set and weight file that the study can use, where it comes from and on what terms.

`data_manifest.yaml` holds one entry a data set. A `download` lists its files with SHA-256 and size, in a registry
file beside this module when they are many; `generated` ones are rendered by a command; `user` ones are private or
provided by hand, and the entry says what layout and counts they would have.
"""

import errno
import os
import shutil
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import Annotated, BinaryIO, Literal
from urllib.parse import quote, urlsplit

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from icsilib.errors import IcsiError
from icsilib.files import atomic_path, digest_of, remove_partials, sha256_of

ROOT = Path(__file__).resolve().parents[2]
MANIFEST = ROOT / "data_manifest.yaml"
REGISTRIES = Path(__file__).parent / "registry"
Kind = Literal["download", "generated", "user"]


class ManifestError(IcsiError):
    """The manifest or one of its data sets cannot be used; one line naming entry, cause and remedy."""


class File(BaseModel):
    """One file of a data set; `path` is relative to the data set's folder and to the entry's `base_url`."""

    model_config = ConfigDict(extra="forbid")
    path: str
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    bytes: int = Field(ge=0)

    @field_validator("path")
    @classmethod
    def _stays_inside(cls, path: str) -> str:
        parts = PurePosixPath(path).parts
        if not parts or path.startswith("/") or "\\" in path or ":" in parts[0] or ".." in parts:
            raise ValueError(f"path {path!r} leaves the data set's folder; give a path inside it")
        return path


class Entry(BaseModel):
    """One data set or weight file."""

    model_config = ConfigDict(extra="forbid")
    title: str
    kind: Kind
    source: str  # a page that tells about it, or the command that makes it
    licence: str
    terms: str = ""
    citation: str
    notebooks: list[str] = Field(default_factory=list)
    base_url: str | None = None  # of a download: files lie below it
    registry: str | None = None  # name of a file in icsilib/data/registry that lists the files
    files: list[File] = Field(default_factory=list)
    layout: str = ""  # of data that a user provides
    variable: str = ""  # environment variable that may name the folder of data that a user provides
    counts: dict[str, int] = Field(default_factory=dict)
    digests: dict[str, str] = Field(default_factory=dict)  # of generated data: settings → digest of its annotations

    @model_validator(mode="after")
    def _complete(self) -> "Entry":
        if self.kind == "download" and not (self.base_url and self.all_files()):
            raise ValueError("a download needs base_url and files or a registry")
        return self

    def all_files(self) -> list[File]:
        """The files listed in the entry and in its registry."""
        return self.files + (_read_registry(self.registry) if self.registry else [])


class Manifest(BaseModel):
    """All entries by name."""

    model_config = ConfigDict(extra="forbid")
    version: Literal[1]
    data: dict[Annotated[str, Field(pattern=r"^[A-Za-z0-9][\w-]*$")], Entry]  # a name is its folder's

    def entry(self, name: str) -> Entry:
        """The entry `name`; raises `ManifestError` naming the known ones."""
        if name not in self.data:
            raise ManifestError(f"{name}: not in the data manifest; known: {', '.join(self.data)}")
        return self.data[name]


def load_manifest(path: Path | str | None = None) -> Manifest:
    """Read and validate the manifest (default: the study's); raises `ManifestError` naming file, entry and remedy."""
    path = Path(path or MANIFEST)
    try:
        return Manifest.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"][1:]) or "file"
        raise ManifestError(f"{path}: {where}: {first['msg']}; correct that entry") from None
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        raise ManifestError(f"{path}: cannot be read ({_first_line(error)}); restore the file") from None


def _read_registry(name: str) -> list[File]:
    if Path(name).name != name:
        raise ValueError(f"registry {name!r} is not a plain file name")
    files = []
    for number, line in enumerate((REGISTRIES / name).read_text(encoding="utf-8").splitlines(), start=1):
        try:
            digest, size, path = line.split(" ", 2)
            files.append(File(sha256=digest, bytes=int(size), path=path))
        except ValidationError as error:
            raise ValueError(f"registry {name} line {number}: {error.errors()[0]['msg']}") from None
        except ValueError:
            raise ValueError(f"registry {name} line {number} is not `sha256 bytes path`") from None
    return files


def data_root() -> Path:
    """Folder of all downloaded and user data: `ICSILIB_DATA`, or `data/` beside the library."""
    return Path(os.environ.get("ICSILIB_DATA") or ROOT / "data")


def mirror_root() -> Path | None:
    """Folder named by `ICSILIB_MIRROR`, laid out as host/path, or None."""
    named = os.environ.get("ICSILIB_MIRROR")
    return Path(named) if named else None


def fetch(
    name: str,
    to: Path | str | None = None,
    manifest: Manifest | None = None,
    report: Callable[[File], None] | None = None,
) -> Path:
    """Bring every file of `name` into its folder and return the folder; files already there and right are kept.

    Each file is taken from the mirror, else downloaded, checked against its SHA-256 before it gets its name, and
    passed to `report` when done. A stopped fetch continues. Raises `ManifestError`.
    """
    entry = (manifest or load_manifest()).entry(name)
    folder = Path(to) if to else _folder(name, entry)
    if entry.kind != "download":
        return _provided(name, entry, folder)
    remove_partials(folder)
    for file in entry.all_files():
        target = _inside(name, folder, file.path)
        if not _is_right(target, file):
            _bring(name, entry, file, target)
        if report:
            report(file)
    return folder


def _folder(name: str, entry: Entry) -> Path:
    """Where the data set lies: below the data root, or where a user's variable says."""
    named = os.environ.get(entry.variable) if entry.variable else None
    return Path(named) if named else data_root() / name


def _provided(name: str, entry: Entry, folder: Path) -> Path:
    """The folder of data that nobody can download, if it is there."""
    missing = [file.path for file in entry.all_files() if not _is_right(folder / file.path, file)]
    if folder.is_dir() and not missing:
        return folder
    if entry.kind == "generated":
        raise ManifestError(f"{name}: is generated, not fetched; make it with `{entry.source}`")
    raise ManifestError(f"{name}: nobody can fetch it; put it into {folder} as: {' '.join(entry.layout.split())}")


def _bring(name: str, entry: Entry, file: File, target: Path) -> None:
    """Copy from the mirror or download into a temporary file, check it, and only then give it its name."""
    mirrored = _mirrored(entry, file)
    with atomic_path(target) as partial:
        origin = mirrored or _url(entry, file)
        with partial.open("wb") as output:
            bounded = _Bounded(output, file.bytes, f"{name}: {origin}")
            if mirrored:
                with mirrored.open("rb") as content:
                    shutil.copyfileobj(content, bounded)
            else:
                _download(name, entry, file, bounded)
        _check(name, file, partial, origin)


class _Bounded:
    """A file that takes no more bytes than the manifest declares: a host may send without end."""

    def __init__(self, output: BinaryIO, limit: int, origin: str) -> None:
        self.output, self.left, self.origin = output, limit, origin

    def write(self, content: bytes) -> int:
        self.left -= len(content)
        if self.left < 0:
            raise ManifestError(f"{self.origin} has more bytes than the manifest says; do not use it, get it again")
        return self.output.write(content)

    def flush(self) -> None:
        self.output.flush()


def _check(name: str, file: File, content: Path, origin: Path | str) -> None:
    size = content.stat().st_size
    if size != file.bytes:
        raise ManifestError(
            f"{name}: {origin} has {size} bytes, not {file.bytes}; it is truncated or replaced: get it again"
        )
    if sha256_of(content) != file.sha256:
        raise ManifestError(f"{name}: {origin} has another SHA-256 than the manifest; do not use it, get it again")


def _download(name: str, entry: Entry, file: File, output: "_Bounded") -> None:
    import pooch  # only here: it brings tqdm.auto, whose warning would stand in every notebook

    try:
        pooch.HTTPDownloader(progressbar=False, timeout=30)(_url(entry, file), output, None)
    except (OSError, ValueError) as error:  # requests' errors are OSErrors
        if isinstance(error, ManifestError) or getattr(error, "errno", None) == errno.ENOSPC:
            raise
        host = urlsplit(str(entry.base_url)).netloc
        raise ManifestError(
            f"{name}: cannot get {file.path} from {host} ({type(error).__name__}); connect to the network, or set "
            f"ICSILIB_MIRROR to a folder laid out as host/path, and run `icsi data fetch {name}` again"
        ) from None


def _mirrored(entry: Entry, file: File) -> Path | None:
    """The file in the mirror, if there is one."""
    root = mirror_root()
    if root is None:
        return None
    place = urlsplit(str(entry.base_url))
    path = _inside("ICSILIB_MIRROR", root, f"{place.netloc}{place.path}/{file.path}")
    return path if path.is_file() else None


def _url(entry: Entry, file: File) -> str:
    return f"{entry.base_url}/{quote(file.path)}"


def _inside(name: str, folder: Path, path: str) -> Path:
    """`folder / path`, refused when links make it leave the folder."""
    target = folder / path
    if not target.resolve().is_relative_to(folder.resolve()):
        raise ManifestError(f"{name}: {path} leads out of {folder} through a link; remove the link")
    return target


def _is_right(path: Path, file: File) -> bool:
    return path.is_file() and path.stat().st_size == file.bytes and sha256_of(path) == file.sha256


def faults(name: str, manifest: Manifest | None = None) -> Iterator[tuple[File, str]]:
    """Files of a fetched data set that are missing or not as the manifest says, with what is wrong."""
    entry = (manifest or load_manifest()).entry(name)
    folder = _folder(name, entry)
    for file in entry.all_files():
        path = folder / file.path
        if not path.is_file():
            yield file, "missing"
        elif not _is_right(path, file):
            yield file, "not as the manifest says"


def available(name: str, manifest: Manifest | None = None) -> bool:
    """Whether `fetch(name)` can succeed: every file is here or mirrored, or its host answers within 3 s."""
    entry = (manifest or load_manifest()).entry(name)
    folder, files = _folder(name, entry), entry.all_files()
    if entry.kind != "download":
        return folder.is_dir() and all((folder / file.path).is_file() for file in files)
    if all((folder / file.path).is_file() or _mirrored(entry, file) for file in files):
        return True
    return _answers(_url(entry, files[0]))


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(urllib.request.Request(url, method="HEAD"), timeout=3):
            return True
    except (urllib.error.URLError, TimeoutError, OSError):
        return False


def data_digest(name: str, manifest: Manifest | None = None) -> str:
    """One SHA-256 for a data set: that of the sorted `sha256sum` listing of its files.

    Raises `ManifestError` for data whose files the manifest does not list, such as phantoms of any size.
    """
    files = (manifest or load_manifest()).entry(name).all_files()
    if not files:
        raise ManifestError(f"{name}: the manifest lists no files of it; take the digest of its own annotations.json")
    return digest_of((file.path, file.sha256) for file in files)


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
