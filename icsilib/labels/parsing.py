"""Text, JSON, YAML and XML of annotation files, read defensively: any encoding, no entities, no endless nesting."""

import codecs
import json
import math
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import yaml

from icsilib.data.annotations import AnnotationError

DEEPEST = 64  # levels of nested values
_BOMS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}


def read_text(path: Path) -> str:
    """The file as text: UTF-8 or UTF-16 by its mark, else UTF-8, else as its XML says, else Windows' Latin alphabet."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise AnnotationError(f"{path}: cannot be read ({error.strerror}); check the path") from None
    encoding = next((name for bom, name in _BOMS.items() if content.startswith(bom)), None) or _guess(content)
    return content.decode(encoding, errors="replace").replace("\r\n", "\n").replace("\r", "\n")


def _guess(content: bytes) -> str:
    """Encoding of text that carries no mark."""
    if content[1:2] == b"\0":
        return "utf-16-le"
    if content[:1] == b"\0":
        return "utf-16-be"
    declared = re.match(rb"""\s*<\?xml[^>]*encoding=["']([\w.-]+)""", content)
    for name in ("utf-8", declared[1].decode() if declared else "cp1252"):
        try:
            content.decode(name)
        except (UnicodeError, LookupError):
            continue
        return name
    return "cp1252"


def label_files(path: Path, *suffixes: str) -> list[Path]:
    """`path` itself, or the files of these suffixes (of any without them) below a folder, but for leavings."""
    if not path.is_dir():
        return [path]
    found = (each for each in sorted(path.rglob("*")) if not suffixes or each.suffix.lower() in suffixes)
    return [each for each in found if not is_leaving(each) and each.is_file()]


def is_leaving(file: Path) -> bool:
    """Whether a file holds nothing of a user's: macOS writes `._*` beside each file, a killed writer `.partial-*`."""
    return file.name.startswith(".")


def parse_json(path: Path) -> Any:
    """The file's JSON; raises `AnnotationError` where it is none."""
    try:
        return sound_json(read_text(path))
    except (ValueError, RecursionError) as error:
        raise AnnotationError(f"{path}: not sound JSON ({error}); export the file again") from None


def sound_json(text: str) -> Any:
    """JSON whose every text can be written again; raises `ValueError` or `RecursionError` otherwise.

    `NaN` and `Infinity`, which JSON does not know, become text.
    """
    content = json.loads(text, object_pairs_hook=_unique_keys, parse_constant=str, parse_float=_finite)
    level = [content]
    for _ in range(DEEPEST):
        boxes = (each.values() if isinstance(each, dict) else each for each in level if isinstance(each, (dict, list)))
        level = [value for values in boxes for value in values]
    if any(isinstance(each, (dict, list)) for each in level):
        raise ValueError(f"values are nested in more than {DEEPEST} levels")
    if re.search(r"\\u[dD][89a-fA-F]", text):  # half a character, unless the other half follows
        try:
            json.dumps(content, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            raise ValueError("a text holds half a character, such as \\ud800") from None
    return content


def _finite(digits: str) -> float | str:
    value = float(digits)
    return digits if math.isinf(value) else value


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object's members; Python's own reader would keep the last of equal keys and lose the others silently."""
    members = dict(pairs)
    if len(members) < len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise ValueError(f"key {twice!r} occurs twice in one object")
    return members


def parse_yaml(path: Path) -> Any:
    """The file's YAML as dictionaries, lists and text. Aliases are refused, since a few of them stand for gigabytes."""
    content = read_text(path)
    try:
        depth = 0
        for event in yaml.parse(content, yaml.BaseLoader):
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if isinstance(event, yaml.AliasEvent) or depth > DEEPEST:
                raise AnnotationError(f"{path}: has aliases (*name) or endless nesting; write its values out")
        return yaml.load(content, yaml.BaseLoader)
    except yaml.YAMLError as error:
        raise AnnotationError(f"{path}: not YAML ({error}); export the file again") from None


def parse_xml(path: Path) -> ElementTree.Element:
    """The root of the file's XML. A document type is refused, since it could define entities without end."""
    content = read_text(path)
    if re.search(r"<!\s*(DOCTYPE|ENTITY)", content, re.IGNORECASE):
        raise AnnotationError(f"{path}: has a document type, which may hide entities; remove the <!DOCTYPE …> line")
    try:
        return ElementTree.fromstring(content)
    except (ElementTree.ParseError, ValueError) as error:
        raise AnnotationError(f"{path}: not XML ({error}); export the file again") from None
