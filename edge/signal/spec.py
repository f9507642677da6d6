"""Everything that shapes a feature image, in one frozen record with a fingerprint."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

DEFINITION = 1
"""Raised whenever the same spec would give another image, so that older models are refused, not fed something new."""
ADDED_FIELDS: Final[Mapping[str, Any]] = {"frame_samples": 0, "mel_scale": "slaney", "preemphasis": 0.0}
"""Fields that older models' specs lack, with what held for those."""


@dataclass(frozen=True)
class FeatureSpec:
    """How sound becomes an image. Defaults: the released RespireNet code, with the paper's 7 s window and band-pass."""

    name: str
    layout: Literal["colour", "levels", "log_mel"]
    """`colour`: RGB, enlarged three times, as the authors feed their network. `levels`: the 64 mel rows, one channel.
    `log_mel`: what networks trained on AudioSet take, lowest band first (`edge.signal.log_mel`); it knows neither
    dynamic range nor blank rows.
    """
    sample_rate_hz: int = 4000
    """Paper, section 2, "Pre-processing"."""
    window_s: float = 7.0
    """Paper, table 2: the length that scored best."""
    bandpass_order: int = 5
    """Paper, section 2; the order of the low-pass prototype, as `scipy.signal.butter` counts it."""
    bandpass_low_hz: float = 50.0
    """The paper gives no cut-offs. 50 Hz is its lowest mel edge: beneath lie heart sounds, handling noise and hum."""
    bandpass_high_hz: float = 1800.0
    """Where the resampler stops being flat, so that files recorded at 4 kHz and at 44.1 kHz end alike."""
    n_fft: int = 256
    hop_samples: int = 128
    n_mels: int = 64
    mel_low_hz: float = 50.0
    mel_high_hz: float = 2000.0
    dynamic_range_db: float = 80.0
    """librosa's `top_db`: what lies further beneath the loudest point is raised to this floor."""
    blank_grey_level: int = 10
    """A pixel whose colour is darker than this (0 to 255) is blank; 0 switches clipping off."""
    blank_share: float = 0.8
    """A row is blank when at least this share of its pixels is."""
    enlargement: int = 3
    """How many times the colour layout enlarges the image."""
    frame_samples: int = 0
    """Length of the Hann window of each spectrum; 0: `n_fft`, else no longer than that."""
    mel_scale: Literal["slaney", "kaldi"] = "slaney"
    """`slaney`: triangles of equal area in frequency, as librosa's. `kaldi`: of equal height on HTK's scale."""
    preemphasis: float = 0.0
    """Share of the last sample that is taken from each at 32 kHz, applied to the spectra; `log_mel` alone knows it."""

    def __post_init__(self) -> None:
        if self.layout not in ("colour", "levels", "log_mel"):
            raise ValueError(f"layout is {self.layout!r}; it must be 'colour', 'levels' or 'log_mel'")
        if self.mel_scale not in ("slaney", "kaldi"):
            raise ValueError(f"mel_scale is {self.mel_scale!r}; it must be 'slaney' or 'kaldi'")
        if not 0 <= self.frame_samples <= self.n_fft or not 0 <= self.preemphasis < 1:
            raise ValueError(
                f"frame_samples {self.frame_samples} must lie in 0..{self.n_fft} and preemphasis {self.preemphasis} "
                "in [0, 1)"
            )
        if not 0 < self.bandpass_low_hz < self.bandpass_high_hz < self.sample_rate_hz / 2:
            raise ValueError(
                f"band-pass {self.bandpass_low_hz}-{self.bandpass_high_hz} Hz does not fit inside "
                f"0-{self.sample_rate_hz / 2} Hz"
            )
        if not 0 <= self.mel_low_hz < self.mel_high_hz <= self.sample_rate_hz / 2:
            raise ValueError(f"mel band {self.mel_low_hz}-{self.mel_high_hz} Hz exceeds half the sample rate")
        if self.window_samples < self.n_fft:
            raise ValueError(f"a window of {self.window_s} s is shorter than one frame of {self.n_fft} samples")

    @property
    def window_samples(self) -> int:
        """Samples in one window."""
        return round(self.window_s * self.sample_rate_hz)

    @property
    def frames(self) -> int:
        """Spectra in one window; the first and the last are centred on its ends."""
        return 1 + self.window_samples // self.hop_samples

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(channels, rows, columns) of the uint8 image."""
        if self.layout != "colour":
            return 1, self.n_mels, self.frames
        return 3, self.n_mels * self.enlargement, self.frames * self.enlargement

    def fingerprint(self) -> str:
        """16 hex digits that change with any field or with `DEFINITION`; the name alone does not change them."""
        fields = {key: value for key, value in self.to_dict().items() if key != "name"}
        text = json.dumps({"definition": DEFINITION, **fields}, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values, for checkpoints, ONNX metadata and manifests.

        A field that was added later is left out where it says what held before, so that older versions read it, too.
        """
        fields = dataclasses.asdict(self)
        return {key: value for key, value in fields.items() if key not in ADDED_FIELDS or value != ADDED_FIELDS[key]}

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> FeatureSpec:
        """The inverse of `to_dict`. Raises ValueError naming fields that are unknown, missing or out of range."""
        known = {field.name for field in dataclasses.fields(cls)}
        unknown, missing = sorted(set(fields) - known), sorted(known - set(fields) - set(ADDED_FIELDS))
        if unknown or missing:
            raise ValueError(f"feature spec has unknown fields {unknown} and lacks {missing}")
        return cls(**fields)


RESPIRENET = FeatureSpec(name="respirenet", layout="colour")
"""The authors' input: 3 x 192 x 657."""

COMPACT = FeatureSpec(name="compact", layout="levels")
"""The same 64 rows without colours and enlargement: 1 x 64 x 219, a ninth of the arithmetic."""

AUDIOSET = FeatureSpec(
    name="audioset",
    layout="log_mel",
    window_s=5.0,
    n_fft=128,
    frame_samples=100,
    hop_samples=40,
    n_mels=49,
    mel_low_hz=109.2,
    mel_scale="kaldi",
    preemphasis=0.97,
)
"""What EfficientAT's networks take (Schmid et al., ICASSP 2023), at 4 kHz: 1 x 49 x 501.

Of their 128 bands up to 15 kHz these are, to a hertz, the 7th to the 55th, the last below 2 kHz. The first six lie
below 125 Hz, where recordings that went through other filters differ.
"""

SPECS = {spec.name: spec for spec in (RESPIRENET, COMPACT, AUDIOSET)}
PAPER_SPECS = {spec.name: spec for spec in (RESPIRENET, COMPACT)}
"""Those that follow the paper, which SciPy, librosa and OpenCV compute, too."""
