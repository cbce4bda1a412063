"""Write the registry of a data set, `sha256 bytes path` a line, from files in hand.

    python scripts/register_data.py FOLDER icsilib/data/registry/NAME.sha256

FOLDER is where the entry's `base_url` points to. Look at the result before you commit it.
"""

import sys
from pathlib import Path

from icsilib.files import sha256_of, write_text_atomic


def main() -> None:
    """List every file below the folder."""
    folder, registry = Path(sys.argv[1]), Path(sys.argv[2])
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    lines = [f"{sha256_of(path)} {path.stat().st_size} {path.relative_to(folder).as_posix()}" for path in files]
    write_text_atomic(registry, "\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
