"""Text, JSON and XML of annotation files, read defensively: any encoding, no entities, no endless nesting."""

import codecs
import json
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from icsilib.data.annotations import AnnotationError

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


def parse_json(path: Path) -> Any:
    """The file's JSON; raises `AnnotationError` where it is none."""
    try:
        return json.loads(read_text(path), object_pairs_hook=_unique_keys)
    except (ValueError, RecursionError) as error:
        raise AnnotationError(f"{path}: not sound JSON ({error}); export the file again") from None


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object's members; Python's own reader would keep the last of equal keys and lose the others silently."""
    members = dict(pairs)
    if len(members) < len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise ValueError(f"key {twice!r} occurs twice in one object")
    return members


def parse_xml(path: Path) -> ElementTree.Element:
    """The root of the file's XML. A document type is refused, since it could define entities without end."""
    content = read_text(path)
    if re.search(r"<!\s*(DOCTYPE|ENTITY)", content, re.IGNORECASE):
        raise AnnotationError(f"{path}: has a document type, which may hide entities; remove the <!DOCTYPE …> line")
    try:
        return ElementTree.fromstring(content)
    except (ElementTree.ParseError, ValueError) as error:
        raise AnnotationError(f"{path}: not XML ({error}); export the file again") from None
