"""The one error that all of the library's own derive from."""


class IcsiError(ValueError):
    """Something that the library refuses; the message names the file, the record and the remedy."""


def printable(text: str) -> str:
    """`text` with line breaks and terminal codes spelt out, so that a name cannot forge a line of a report."""
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)
