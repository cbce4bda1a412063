"""Annotations as other tools' files: VIA 2, Pascal VOC and YOLO. What a format cannot hold is counted in a report."""

from icsilib.labels.writers.via import write_via_csv, write_via_json
from icsilib.labels.writers.voc import write_voc
from icsilib.labels.writers.yolo import write_yolo

__all__ = ["write_via_csv", "write_via_json", "write_voc", "write_yolo"]
