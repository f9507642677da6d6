"""The numbers of the paper, as printed, each with its place.

Gairola, Tom, Kwatra and Jain, "RespireNet: a deep neural network for accurately detecting abnormal lung sounds in
limited data setting", EMBC 2021. Scores, sensitivities, specificities and their changes are in per cent. Where the
paper contradicts itself or its data, the number stands here as printed; `train.tables` names the contradiction.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

DEVICES: Final = ("AKGC417L", "Meditron", "Litt3200", "LittC2SE")
"""The stethoscopes by their token in ICBHI's file names, in the order of tables 3 to 6."""

NETWORK: Final = "CNN"
TECHNIQUES: Final = "CNN+CBA+BRC"
FINE_TUNED: Final = "CNN+CBA+BRC+FT"


@dataclass(frozen=True)
class PublishedScore:
    """A row of table 1, in per cent; None where the table has no number."""

    split: str
    """`60/40` (the challenge's file) or `80/20` (by patients)."""
    task: str
    """`four_class` or `two_class`, as in `train.task`."""
    method: str
    specificity: float | None
    sensitivity: float | None
    score: float


TABLE_1: Final = (
    PublishedScore("60/40", "four_class", "Jakovljevic et al.", None, None, 39.5),
    PublishedScore("60/40", "four_class", "Chambres et al.", 78.1, 20.8, 49.4),
    PublishedScore("60/40", "four_class", "Serbes et al.", None, None, 49.9),
    PublishedScore("60/40", "four_class", "Ma et al. (LungBRN)", 69.2, 31.1, 50.2),
    PublishedScore("60/40", "four_class", "Ma et al. (LungRN+NL)", 63.2, 41.3, 52.3),
    PublishedScore("60/40", "four_class", NETWORK, 71.4, 39.0, 55.2),
    PublishedScore("60/40", "four_class", TECHNIQUES, 71.8, 39.6, 55.7),
    PublishedScore("60/40", "four_class", FINE_TUNED, 72.3, 40.1, 56.2),
    PublishedScore("80/20", "four_class", "Kochetov et al.", 73.0, 58.4, 65.7),
    PublishedScore("80/20", "four_class", "Acharya et al.", 84.1, 48.6, 66.3),
    PublishedScore("80/20", "four_class", "Ma et al. (LungRN+NL)", 64.7, 63.7, 64.2),
    PublishedScore("80/20", "four_class", NETWORK, 78.8, 53.6, 66.2),
    PublishedScore("80/20", "four_class", TECHNIQUES, 79.7, 54.4, 67.1),
    PublishedScore("80/20", "four_class", FINE_TUNED, 83.3, 53.7, 68.5),
    PublishedScore("80/20", "two_class", NETWORK, 83.3, 60.5, 71.9),
    PublishedScore("80/20", "two_class", TECHNIQUES, 76.4, 71.0, 73.7),
    PublishedScore("80/20", "two_class", FINE_TUNED, 80.9, 73.1, 77.0),
)
"""Table 1."""

TABLE_2: Final[Mapping[int, float]] = {
    1: 56.6, 2: 59.0, 3: 60.3, 4: 61.1, 5: 62.3, 6: 64.4, 7: 66.2, 8: 65.1, 9: 65.5,
}  # fmt: skip
"""Table 2: Score by window length in seconds (80/20 split, four classes)."""


@dataclass(frozen=True)
class DeviceGain:
    """A row of table 3."""

    sample_share_percent: float
    score_gain: float
    """Points of Score that fine-tuning for the device adds."""


TABLE_3: Final[Mapping[str, DeviceGain]] = {
    "AKGC417L": DeviceGain(63, 1.7),
    "Meditron": DeviceGain(21, 1.6),
    "Litt3200": DeviceGain(9, 9.3),
    "LittC2SE": DeviceGain(7, 8.6),
}
"""Table 3."""


@dataclass(frozen=True)
class DeviceCounts:
    """A row of table 4."""

    patients: int
    cycles: tuple[int, int, int, int]
    """Normal, crackle, wheeze, both."""
    total: int


TABLE_4: Final[Mapping[str, DeviceCounts]] = {
    "AKGC417L": DeviceCounts(32, (1922, 1543, 500, 381), 4346),
    "Meditron": DeviceCounts(64, (1037, 215, 148, 56), 1456),
    "Litt3200": DeviceCounts(11, (347, 77, 126, 44), 594),
    "LittC2SE": DeviceCounts(23, (336, 29, 112, 25), 502),
}
"""Table 4."""
PATIENTS_OVER_DEVICES: Final = 130
"""Table 4, caption: patients add up to more than there are, as some were heard through two devices."""

TABLE_5: Final[Mapping[str, tuple[float, float, float, float]]] = {
    "AKGC417L": (0.53, 0.83, 0.56, 0.75),
    "Meditron": (0.28, 0.11, 0.17, 0.11),
    "Litt3200": (0.10, 0.02, 0.14, 0.09),
    "LittC2SE": (0.09, 0.04, 0.13, 0.05),
}
"""Table 5: shares of each class (normal, crackle, wheeze, both) that come from a device."""

TABLE_6: Final[Mapping[str, tuple[float, float, float, float]]] = {
    "AKGC417L": (61.3, 77.5, 23.8, 28.2),
    "Meditron": (47.3, 69.2, 26.3, 0.0),
    "Litt3200": (51.2, 66.7, 20.7, 66.7),
    "LittC2SE": (16.8, 22.2, 0.0, 0.0),
}
"""Table 6: per cent of each class (normal, crackle, wheeze, both) recognised after training on AKGC417L only."""
TABLE_6_DEVICE: Final = "AKGC417L"
TABLE_6_OVERALL: Final = PublishedScore("80/20", "four_class", NETWORK, 50.3, 55.7, 53.0)
"""Table 6, caption."""

RECORDINGS: Final = 920
"""Sections 2 and 6.1, as all numbers down to the mean length."""
PATIENTS: Final = 126
CYCLES: Final = 6898
DURATION_H: Final = 5.5
CLASS_CYCLES: Final = (3642, 1864, 886, 506)
"""Normal, crackle, wheeze, both."""
SHORTEST_CYCLE_S: Final = 0.2
LONGEST_CYCLE_S: Final = 16.2
MEAN_CYCLE_S: Final = 2.7
LOCATIONS: Final = 7
"""Section 2: "for every patient, data was recorded at seven different body locations"."""
NORMAL_SHARE_PERCENT: Final = 53
"""Section 2.1: the share of the normal class."""
AKGC417L_CRACKLE_PERCENT: Final = 83
"""Section 6.1: the share of all crackle cycles that come from AKGC417L."""


@dataclass(frozen=True)
class LengthShare:
    """Share of cycles whose length lies between two bounds."""

    from_s: float
    below_s: float
    percent: float


FIGURE_4: Final = (LengthShare(0, 3, 65), LengthShare(4, 6, 33))
"""Figure 4, caption."""
FIGURE_5_CYCLES: Final = 1370
"""Section 6.2: "1370 samples in the test split"."""


@dataclass(frozen=True)
class DeviceSkew:
    """What section 6.1 says of a device when it describes the 80/20 split."""

    patients: int
    cycles: int
    cycles_per_patient: float


DEVICE_SKEW: Final[Mapping[str, DeviceSkew]] = {
    "Meditron": DeviceSkew(64, 1468, 22.9),
    "AKGC417L": DeviceSkew(32, 4364, 136.4),
}
"""Section 6.1, last paragraph: "from the numbers in table 4"."""

SCORE_WITHOUT_AUGMENTATION: Final = 62.2
"""Section 3, concatenation-based augmentation; four classes, 80/20, as all that follow."""
SCORE_WITH_STANDARD_AUGMENTATION: Final = 66.2
SCORE_WITH_CONCATENATION: Final = 66.8
CONCATENATION_SENSITIVITY_GAIN: Final = 1.5
SMART_PADDING_GAIN_OVER_ZEROS: Final = 5.0
"""Section 3, smart padding: points of Score of the base model."""
SMART_PADDING_GAIN_OVER_REFLECTION: Final = 2.0
BLANK_CLIPPING_GAIN: Final = 0.5
"""Section 3, blank region clipping, over the base model's 66.2."""
SCORE_WITH_CLIPPING_AND_CONCATENATION: Final = 67.1
FINE_TUNING_GAIN: Final = 1.4
"""Section 3, device specific fine-tuning: 67.1 to 68.5."""
