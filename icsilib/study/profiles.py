"""The three scales of the study, each as one frozen record of everything that decides its size.

`quick` runs everywhere in minutes, `standard` in hours on a CPU, `paper` with the published settings on a GPU.
"""

from dataclasses import asdict, dataclass
from typing import Any

from icsilib.detection import settings as detection_settings
from icsilib.phantoms.biopsy_dataset import BIOPSY_PROFILES, BiopsyData
from icsilib.phantoms.icsi_dataset import ICSI_PROFILES, IcsiData
from icsilib.segmentation import settings as segmentation_settings


@dataclass(frozen=True)
class Profile:
    """Data and settings of both papers at one scale."""

    name: str
    icsi: IcsiData
    segmentation: segmentation_settings.Settings
    biopsy: BiopsyData
    detection: detection_settings.Settings

    def rows(self) -> list[dict[str, Any]]:
        """One row a setting: part, setting, value."""
        parts = {part: content for part, content in asdict(self).items() if part != "name"}
        return [
            {"part": part, "setting": setting, "value": value}
            for part, content in parts.items()
            for setting, value in content.items()
        ]


PROFILES = {
    name: Profile(
        name,
        ICSI_PROFILES[name],
        segmentation_settings.PROFILES[name],
        BIOPSY_PROFILES[name],
        detection_settings.PROFILES[name],
    )
    for name in ("quick", "standard", "paper")
}
