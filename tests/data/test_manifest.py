"""The manifest refuses what it should, in one line, and never leaves half a file."""

import contextlib
import re
import shutil
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from icsilib.cli import app
from icsilib.data.manifest import (
    File,
    ManifestError,
    available,
    data_digest,
    fetch,
    load_manifest,
    mirror_root,
)
from icsilib.files import sha256_of

HOST = "mirror.invalid"  # never resolves: what is not mirrored cannot be had


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A manifest with one mirrored download of two files; returns its path."""
    folder = tmp_path / "mirror" / HOST / "set"
    (folder / "sub").mkdir(parents=True)
    files = []
    for name, content in (("a.txt", b"first"), ("sub/b c.txt", b"second")):
        (folder / name).write_bytes(content)
        files.append({"path": name, "sha256": sha256_of(folder / name), "bytes": len(content)})
    monkeypatch.setenv("ICSILIB_MIRROR", str(tmp_path / "mirror"))
    monkeypatch.setenv("ICSILIB_DATA", str(tmp_path / "data"))
    entry = {"title": "A set", "kind": "download", "source": "x", "licence": "MIT", "citation": "x"}
    content = {"version": 1, "data": {"small": {**entry, "base_url": f"https://{HOST}/set", "files": files}}}
    (tmp_path / "manifest.yaml").write_text(yaml.safe_dump(content))
    return tmp_path / "manifest.yaml"


def edit(manifest: Path, change: dict[str, object]) -> None:
    content = yaml.safe_load(manifest.read_text())
    content["data"]["small"] |= change
    manifest.write_text(yaml.safe_dump(content))


def written(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_a_mirrored_set_is_fetched_and_fetched_again_without_the_mirror(small: Path) -> None:
    manifest = load_manifest(small)
    folder = fetch("small", manifest=manifest)
    assert written(folder) == ["a.txt", "sub/b c.txt"]
    shutil.rmtree(small.parent / "mirror")
    assert fetch("small", manifest=manifest) == folder  # nothing is missing, so nothing is asked for


def test_a_stopped_fetch_continues_with_what_is_missing(small: Path) -> None:
    manifest = load_manifest(small)
    folder = fetch("small", manifest=manifest)
    (folder / "sub" / "b c.txt").unlink()
    kept = (folder / "a.txt").stat().st_mtime_ns
    fetch("small", manifest=manifest)
    assert written(folder) == ["a.txt", "sub/b c.txt"]
    assert (folder / "a.txt").stat().st_mtime_ns == kept


@pytest.mark.parametrize(
    ("content", "cause"), [(b"fIrst", "another SHA-256"), (b"fir", "truncated"), (b"first and more", "more bytes")]
)
def test_a_changed_or_truncated_file_is_refused_and_not_written(small: Path, content: bytes, cause: str) -> None:
    (small.parent / "mirror" / HOST / "set" / "a.txt").write_bytes(content)
    with pytest.raises(ManifestError, match=f"small: .*{cause}") as error:
        fetch("small", manifest=load_manifest(small))
    assert "\n" not in str(error.value)
    assert written(small.parent / "data") == []


class Endless(BaseHTTPRequestHandler):
    """Sends without end, and without saying how much."""

    sent = 0

    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        with contextlib.suppress(OSError):
            while Endless.sent < 10**8:
                Endless.sent += self.wfile.write(bytes(10_000))

    def log_message(self, *about):
        pass


def test_a_download_stops_at_the_declared_number_of_bytes(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ICSILIB_MIRROR")
    with ThreadingHTTPServer(("127.0.0.1", 0), Endless) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        edit(small, {"base_url": f"http://127.0.0.1:{server.server_port}/set"})
        with pytest.raises(ManifestError, match=r"small: http.*a\.txt has more bytes than the manifest says"):
            fetch("small", manifest=load_manifest(small))
        server.shutdown()
    assert Endless.sent < 10**8
    assert written(small.parent / "data") == []


def test_what_a_killed_fetch_left_is_removed(small: Path) -> None:
    folder = small.parent / "data" / "small"
    (folder / "sub").mkdir(parents=True)
    (folder / "sub" / ".partial-x.txt").write_bytes(b"sec")
    fetch("small", manifest=load_manifest(small))
    assert written(folder) == ["a.txt", "sub/b c.txt"]


@pytest.mark.parametrize("name", ["../small", "a/b", "..", "", "a\\b", ".hidden"])
def test_an_entry_whose_name_leaves_the_data_folder_is_refused(small: Path, name: str) -> None:
    content = yaml.safe_load(small.read_text())
    content["data"][name] = content["data"].pop("small")
    small.write_text(yaml.safe_dump(content))
    with pytest.raises(ManifestError, match="should match pattern"):
        load_manifest(small)


def test_without_network_or_mirror_one_line_says_what_to_do(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ICSILIB_MIRROR")
    manifest = load_manifest(small)
    with pytest.raises(ManifestError, match=rf"small: cannot get a\.txt from {HOST}.*ICSILIB_MIRROR.*icsi data fetch"):
        fetch("small", manifest=manifest)
    assert written(small.parent / "data") == []
    assert not available("small", manifest)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"surprise": 1}, "small.surprise: Extra inputs"),
        ({"files": [{"path": "../../x", "sha256": "0" * 64, "bytes": 1}]}, "leaves the data set's folder"),
        ({"files": [{"path": "/etc/passwd", "sha256": "0" * 64, "bytes": 1}]}, "leaves the data set's folder"),
        ({"files": [{"path": "a", "sha256": "0" * 63, "bytes": 1}]}, "sha256"),
        ({"files": []}, "a download needs"),
        ({"kind": "rumour"}, "small.kind"),
    ],
)
def test_a_wrong_entry_is_refused_by_name(small: Path, change: dict[str, object], message: str) -> None:
    edit(small, change)
    with pytest.raises(ManifestError, match=message) as error:
        load_manifest(small)
    assert "small" in str(error.value)
    assert "\n" not in str(error.value)


def test_a_link_that_leads_out_of_the_folder_is_refused(small: Path) -> None:
    outside = small.parent / "outside"
    outside.mkdir()
    (small.parent / "data" / "small").mkdir(parents=True)
    (small.parent / "data" / "small" / "sub").symlink_to(outside)
    with pytest.raises(ManifestError, match="leads out of"):
        fetch("small", manifest=load_manifest(small))
    assert written(outside) == []


@given(st.text(max_size=30))
def test_no_path_leaves_its_folder(path: str) -> None:
    try:
        file = File(path=path, sha256="0" * 64, bytes=0)
    except ValueError:
        return
    root = Path("/data/set")
    assert (root / file.path.replace("\0", "")).resolve().is_relative_to(root)


def test_the_command_ends_with_one_line_and_exit_code_1(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ICSILIB_DATA", str(tmp_path))
    monkeypatch.delenv("ICSILIB_MIRROR", raising=False)
    for words, message in (
        (["data", "fetch", "unknown"], "unknown: not in the data manifest"),
        (["data", "fetch", "he2020-icsi"], "nobody can fetch it; put it into"),
        (["data", "fetch", "icsi-phantom"], "is generated, not fetched; make it with `icsi phantom icsi"),
    ):
        result = CliRunner().invoke(app, words)
        errors = [line for line in result.stderr.splitlines() if line.startswith("Error:")]
        assert result.exit_code == 1
        assert len(errors) == 1
        assert message in errors[0]


BAD_FILE = {"path": "../../x", "sha256": "0" * 64, "bytes": 1}


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("flipped byte", "small: .*another SHA-256.*get it again"),
        ("truncated", "small: .*truncated.*get it again"),
        ("path", "small.*leaves the data set's folder.*correct"),
        ("key", "small.surprise.*correct that entry"),
        ("network", "small: cannot get.*ICSILIB_MIRROR"),
        ("yaml", "manifest.yaml: cannot be read.*restore"),
    ],
)
def test_the_command_refuses_every_fault_in_one_line_and_writes_nothing(
    small: Path, monkeypatch: pytest.MonkeyPatch, fault: str, message: str
) -> None:
    mirrored = small.parent / "mirror" / HOST / "set" / "sub" / "b c.txt"
    if fault in ("flipped byte", "truncated"):
        mirrored.write_bytes(b"sEcond" if fault == "flipped byte" else b"sec")
    elif fault in ("path", "key"):
        edit(small, {"files": [BAD_FILE]} if fault == "path" else {"surprise": 1})
    elif fault == "network":
        monkeypatch.delenv("ICSILIB_MIRROR")
    else:
        small.write_bytes(b"data: [\xff")
    monkeypatch.setattr("icsilib.data.manifest.MANIFEST", small)
    result = CliRunner().invoke(app, ["data", "fetch", "small"])
    errors = [line for line in result.stderr.splitlines() if line.startswith("Error:")]
    assert result.exit_code == 1
    assert len(errors) == 1
    assert re.search(message, errors[0])
    assert result.stdout == ""
    whole = ["small/a.txt"] if fault in ("flipped byte", "truncated") else []  # checked before the faulty one
    assert written(small.parent / "data") == whole


def test_a_bad_line_of_a_registry_is_named(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("icsilib.data.manifest.REGISTRIES", small.parent)
    edit(small, {"files": [], "registry": "small.sha256"})
    for line, message in ((f"{'0' * 64} 1 ../x", "line 1: .*leaves"), ("0 1", "line 1 is not")):
        (small.parent / "small.sha256").write_text(line)
        with pytest.raises(ManifestError, match=message) as error:
            load_manifest(small)
        assert "\n" not in str(error.value)


def test_a_user_s_folder_may_be_named_by_a_variable(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    edit(small, {"kind": "user", "variable": "SOME_FOLDER", "layout": "two files"})
    manifest = load_manifest(small)
    with pytest.raises(ManifestError, match="two files"):
        fetch("small", manifest=manifest)
    monkeypatch.setenv("SOME_FOLDER", str(small.parent / "mirror" / HOST / "set"))
    assert available("small", manifest)
    assert fetch("small", manifest=manifest) == small.parent / "mirror" / HOST / "set"


def test_data_without_listed_files_has_no_digest() -> None:
    with pytest.raises(ManifestError, match="icsi-phantom: the manifest lists no files"):
        data_digest("icsi-phantom")


def test_the_study_s_own_manifest_holds_what_it_should() -> None:
    manifest = load_manifest()
    assert {name: entry.kind for name, entry in manifest.data.items()} == {
        "bu-bil": "download",
        "svia": "download",
        "embryo": "download",
        "icsi-frames": "download",
        "mobilenet-v2-imagenet": "user",
        "wu2019-checkpoint-index": "download",
        "icsi-phantom": "generated",
        "biopsy-phantom": "generated",
        "biopsy-crowd-phantom": "generated",
        "he2020-icsi": "user",
        "wu2021-biopsy": "user",
    }
    masks = [file.path for file in manifest.entry("bu-bil").all_files() if "ExpertsAnnotations" in file.path]
    assert len(masks) == 35 * 5 * 2
    frames = [file.path for file in manifest.entry("svia").all_files() if file.path.endswith(".png")]
    assert len(frames) == 220
    assert len(data_digest("embryo")) == 64


def test_verify_finds_a_flipped_byte(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if mirror_root() is None:
        pytest.skip("needs real data: set ICSILIB_MIRROR to a folder laid out as host/path")
    monkeypatch.setenv("ICSILIB_DATA", str(tmp_path))
    assert CliRunner().invoke(app, ["data", "fetch", "embryo"]).exit_code == 0
    assert CliRunner().invoke(app, ["data", "verify"]).output == "embryo: 14 files right, 0 wrong\n"
    photograph = next(tmp_path.rglob("*.JPG"))
    content = bytearray(photograph.read_bytes())
    content[1000] ^= 1
    photograph.write_bytes(content)
    result = CliRunner().invoke(app, ["data", "verify", "embryo"])
    assert result.exit_code == 1
    assert photograph.name in result.output
