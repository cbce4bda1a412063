"""What reading or writing a file of annotations kept, changed and left out."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Report:
    """Every record of a file is counted once: `records == kept + skipped.total()`."""

    source: Path
    format: str
    images: int = 0  # kept, annotated or not
    records: int = 0  # labelled objects found
    kept: int = 0
    skipped: Counter[str] = field(default_factory=Counter)  # reason → records
    skipped_images: Counter[str] = field(default_factory=Counter)  # reason → images
    changed: Counter[str] = field(default_factory=Counter)  # repair → how often; these were kept
    details: tuple[tuple[str, str], ...] = ()  # (record, reason or repair), in the file's order
    notes: tuple[str, ...] = ()  # what else to know before the result is used

    def lines(self) -> list[str]:
        """The report as lines of text, the counts first and then every record that was skipped or changed."""
        head = f"{self.source} ({self.format}): {self.images} images, {self.kept} of {self.records} objects kept"
        counts = [f"  {count} skipped: {reason}" for reason, count in self.skipped.most_common()]
        counts += [f"  {count} images skipped: {reason}" for reason, count in self.skipped_images.most_common()]
        counts += [f"  {count} changed: {what}" for what, count in self.changed.most_common()]
        counts += [f"  note: {note}" for note in self.notes]
        return [head, *counts, *(f"    {where}: {reason}" for where, reason in self.details)]
