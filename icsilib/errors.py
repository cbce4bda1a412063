"""The one error that all of the library's own derive from."""


class IcsiError(ValueError):
    """Something that the library refuses; the message names the file, the record and the remedy."""
