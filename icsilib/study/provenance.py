"""Results as files: every number with its unit, n, interval and the data, code and machine it came from.

A notebook collects its numbers in one `Results` and writes them once, at its end. Pages, tables and the
claims ledger read these files; no number that a run produced is typed anywhere.
"""

import hashlib
import json
import platform
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field

from icsilib.files import write_text_atomic
from icsilib.phantoms.workers import cores as cores

if TYPE_CHECKING:
    from icsilib.training.devices import Device

ROOT = Path(__file__).resolve().parents[2]
VERSIONED = ("numpy", "scipy", "pandas", "torch", "opencv-python-headless", "albumentations")


class Value(BaseModel):
    """One number of the study."""

    model_config = ConfigDict(extra="forbid")
    value: float | int | bool | str | None
    unit: str = ""
    n: int | None = None  # how many items the number summarises
    n_of: str = ""  # what is counted: "frames", "pairs", "patients"
    interval: tuple[float, float] | None = None
    level: float | None = None  # of the interval, e.g. 0.95
    method: str = ""  # how value and interval were computed
    data: str = ""  # which data: "phantom", "simulated", "BU-BIL", "SVIA", "embryo"
    cell: int | None = None  # number of the executed notebook cell that added it


class Provenance(BaseModel):
    """Where a results file came from."""

    model_config = ConfigDict(extra="forbid")
    revision: str  # git commit of the code, or "unknown" where neither a checkout nor an archive tells it
    clean: bool | None  # whether the tree held uncommitted changes to the code; None when unknown
    data: dict[str, str] = Field(default_factory=dict)  # data set → SHA-256
    seed: int | None = None
    profile: str
    versions: dict[str, str]
    hardware: dict[str, Any]
    started: str  # UTC, ISO 8601
    seconds: float


class ResultsFile(BaseModel):
    """Content of one `results/*.json`."""

    model_config = ConfigDict(extra="forbid")
    notebook: str
    parameters: dict[str, Any] = Field(default_factory=dict)
    values: dict[str, Value]
    tables: dict[str, list[dict[str, Any]]] = Field(default_factory=dict)
    provenance: Provenance


class Results:
    """The numbers of one notebook, collected as they arise and written once."""

    def __init__(
        self, notebook: str, profile: str, seed: int | None, device: "Device | None" = None, **parameters: Any
    ) -> None:
        """`device` is where networks run, by its name; None where none does."""
        self.device = device
        self.notebook, self.profile, self.seed, self.parameters = notebook, profile, seed, parameters
        self.values: dict[str, Value] = {}
        self.tables: dict[str, list[dict[str, Any]]] = {}
        self.data: dict[str, str] = {}
        self._started = time.time()

    def add(self, key: str, value: Any, **about: Any) -> Value:
        """Keep one number under `key`; `about` are the other fields of `Value`. A key is used once."""
        if key in self.values:
            raise ValueError(f"results of {self.notebook}: key {key!r} is already used; choose another")
        fields = {name: _plain(item) for name, item in about.items()}
        self.values[key] = Value(value=_plain(value), cell=_running_cell(), **fields)
        return self.values[key]

    def add_table(self, key: str, rows: Sequence[dict[str, Any]]) -> None:
        """Keep a table, as one mapping a row."""
        self.tables[key] = [{name: _plain(item) for name, item in row.items()} for row in rows]

    def write(self, path: Path | str) -> ResultsFile:
        """Write everything collected, with its provenance, as JSON. The write is atomic."""
        content = ResultsFile(
            notebook=self.notebook,
            parameters=self.parameters,
            values=self.values,
            tables=self.tables,
            provenance=provenance(self.profile, self.seed, self.data, self._started, self.device),
        )
        write_text_atomic(path, json.dumps(content.model_dump(mode="json"), indent=1, ensure_ascii=False) + "\n")
        return content


def read_results(path: Path | str) -> ResultsFile:
    """Read and validate one results file."""
    return ResultsFile.model_validate_json(Path(path).read_text(encoding="utf-8"))


def provenance(
    profile: str, seed: int | None, data: dict[str, str], started: float, device: "Device | None" = None
) -> Provenance:
    """Provenance of a run that began at `started` (seconds since the epoch), its networks on `device`."""
    revision, clean = code_revision()
    return Provenance(
        revision=revision,
        clean=clean,
        data=data,
        seed=seed,
        profile=profile,
        versions={"python": platform.python_version()} | {name: version(name) for name in VERSIONED},
        hardware=hardware(device),
        started=datetime.fromtimestamp(started, UTC).isoformat(timespec="seconds"),
        seconds=round(time.time() - started, 1),
    )


def provenance_rows(origin: Provenance) -> dict[str, str]:
    """A provenance as rows for people to read: code, data, profile and seed, time, machine, versions."""
    tree = {True: "clean", False: "with uncommitted changes", None: "changes unknown"}[origin.clean]
    return {
        "code revision": f"{origin.revision} ({tree})",
        "data": ", ".join(f"{name} sha256:{digest}" for name, digest in origin.data.items()),
        "profile and seed": f"{origin.profile}, seed {origin.seed}",
        "started and duration": f"{origin.started}, {origin.seconds:.0f} s",
        "hardware": ", ".join(f"{name}: {value}" for name, value in origin.hardware.items()),
        "versions": ", ".join(f"{name} {number}" for name, number in origin.versions.items()),
    }


def code_revision(root: Path = ROOT) -> tuple[str, bool | None]:
    """Git commit of the code in `root`, and whether `icsilib`, notebooks and book are as committed.

    An archive names its commit in `.git-revision`; whether its files were changed since is not known. A repository
    that merely encloses `root` says nothing of this code.
    """
    try:
        if not Path(_git(root, "rev-parse", "--show-toplevel")).samefile(root):
            return _archived_revision(root), None
        revision = _git(root, "rev-parse", "HEAD")
        return revision, not _git(root, "status", "--porcelain", "--", "icsilib", "notebooks", "book")
    except (OSError, subprocess.CalledProcessError):
        return _archived_revision(root), None


def _archived_revision(root: Path) -> str:
    """Commit that `git archive` wrote into `.git-revision`; "unknown" where it did not."""
    file = root / ".git-revision"
    found = file.read_text(encoding="utf-8").strip() if file.exists() else ""
    return found if re.fullmatch("[0-9a-f]{40,64}", found) else "unknown"


def hardware(device: "Device | None" = None) -> dict[str, Any]:
    """Processor, cores and, when torch sees one, the GPU that a run had; the device that its networks ran on."""
    import torch

    from icsilib.training.devices import device_name, resolve_device

    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else None
    found = {"processor": _processor(), "cores": cores(), "gpu": gpu}
    return found if device is None else found | {"networks on": device_name(resolve_device(device))}


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def _git(root: Path, *words: str) -> str:
    return subprocess.run(["git", *words], cwd=root, check=True, capture_output=True, text=True).stdout.strip()


def _running_cell() -> int | None:
    """Number of the notebook cell that is running, as its brackets will show it; None outside a notebook."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    return shell.execution_count if shell else None


def _plain(value: Any) -> Any:
    """NumPy scalars and arrays as plain Python, so that JSON holds them."""
    return value.tolist() if hasattr(value, "tolist") else value


def source_digest(*packages: str) -> str:
    """SHA-256 over the Python sources and shipped weights of the named packages or modules, e.g. `"icsilib.data"`.

    A notebook puts it in the name of a folder of costly work, so that work done by older code is not reused.
    """
    digest = hashlib.sha256()
    for package in packages:
        place = ROOT.joinpath(*package.split("."))
        inside = [path for path in place.rglob("*") if path.suffix in (".py", ".safetensors")]
        for source in sorted(inside) if place.is_dir() else [place.with_suffix(".py")]:
            digest.update(source.relative_to(ROOT).as_posix().encode() + b"\0" + source.read_bytes())
    return digest.hexdigest()
