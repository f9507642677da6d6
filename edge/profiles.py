"""A stethoscope is data: a JSON file in `edge/profiles/`, or in a folder of the user's, with each number's source.

Adding a stethoscope adds a file and no code. `RESPIRE_EDGE_PROFILES` names a further folder, whose files come first.
"""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Callable, Iterator, Mapping, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge.errors import ProfileError

SCHEMA = 1
PROFILES_VARIABLE = "RESPIRE_EDGE_PROFILES"
"""Environment variable that names a folder of further profiles."""
KEYS = {
    "schema", "name", "title", "icbhi_token", "model", "connection",
    "native_sample_rates_hz", "acoustic_band_hz", "quality",
}  # fmt: skip
QUALITY_KEYS = {"silence_level_dbfs", "clipped_share"}


MAX_MISSING_SHARE = 0.02
"""Of a window, for a profile that does not say: what the link's plan allows too (PROTOCOL of the microcontroller)."""


@dataclass(frozen=True)
class QualityLimits:
    """From when on a stretch of sound is not fit to be labelled; a check whose limit is None is not made."""

    silence_level_dbfs: float
    """Conditioned sound whose RMS lies under this holds no breath; 0 dBFS is an RMS of 1."""
    clipped_share: float
    """More samples than this at full scale before conditioning: overdriven."""
    gap_share: float = MAX_MISSING_SHARE
    """More samples than this that never arrived."""
    dc_share: float | None = None
    """A mean of the samples further from 0 than this; 1 is full scale."""
    share_above_2khz: float | None = None
    """More power than this above what conditioning keeps, as a share of it and the conditioned sound's."""
    share_above_1khz: float | None = None
    """More of the conditioned sound's power than this in its upper half."""
    share_below_50hz: float | None = None
    """More power than this below what conditioning keeps."""
    hum_db: float | None = None
    """Lines of the mains stronger than this beside all other sound."""
    knock_level_dbfs: float | None = None
    """Bursts with hard edges louder than this for a hundredth of the time."""
    cough_s: float | None = None
    """More seconds of coughs than this."""
    voice_s: float | None = None
    """More seconds of voices than this."""


@dataclass(frozen=True)
class _Range:
    holds: Callable[[float], bool]
    expected: str


_SHARE = _Range(lambda share: 0 <= share <= 1, "a share from 0 to 1")
_LEVEL = _Range(lambda level_dbfs: level_dbfs < 0, "a number below 0 (0 dBFS is full scale)")
_RATIO = _Range(lambda _: True, "a number of decibels")
_DURATION = _Range(lambda duration_s: duration_s >= 0, "a number of seconds from 0 on")
QUALITY_RANGES = {
    "silence_level_dbfs": _LEVEL,
    "clipped_share": _SHARE,
    "gap_share": _SHARE,
    "dc_share": _SHARE,
    "share_above_2khz": _SHARE,
    "share_above_1khz": _SHARE,
    "share_below_50hz": _SHARE,
    "hum_db": _RATIO,
    "knock_level_dbfs": _LEVEL,
    "cough_s": _DURATION,
    "voice_s": _DURATION,
}
"""What each limit may be; all but `QUALITY_KEYS` may be left out."""
NO_LONGER_MEASURED = {"speech_db": "voice_s, in seconds"}
"""Limits of earlier versions, and what took their place."""


@dataclass(frozen=True)
class Profile:
    """What is known of one stethoscope."""

    name: str
    title: str
    icbhi_token: str | None
    """The last part of an ICBHI recording's file name; None for a stethoscope that is not in that database."""
    model: str
    """The bundle to prefer; `common` serves where there is none of that name."""
    connection: str
    """How its sound reaches a computer."""
    native_sample_rates_hz: tuple[int, ...]
    acoustic_band_hz: tuple[float, float]
    quality: QualityLimits
    sources: Mapping[str, str]
    """Where each of the facts above comes from, by key; quality limits as `quality.KEY`."""


def load_profile(name: str, environ: Mapping[str, str] = os.environ) -> Profile:
    """The profile called `name`, or in the JSON file `name`.

    Raises ProfileError for a name that is not known (the known ones are listed) and for a file that is wrong.
    """
    if name.endswith(".json"):
        return read_profile(Path(name))
    paths = _profile_paths(environ)
    if name not in paths:
        raise ProfileError(
            f"device {name}: no such stethoscope; known are {', '.join(sorted(paths))}. "
            f"A further one is a JSON file in the folder that {PROFILES_VARIABLE} names"
        )
    return read_profile(paths[name])


def load_profiles(environ: Mapping[str, str] = os.environ) -> dict[str, Profile]:
    """Every known profile by name. Raises ProfileError for a file that is wrong."""
    return {name: read_profile(path) for name, path in sorted(_profile_paths(environ).items())}


def profile_from_icbhi_token(file_name: str, environ: Mapping[str, str] = os.environ) -> Profile:
    """The stethoscope of an ICBHI recording such as `101_1b1_Al_sc_Meditron.wav`; the bare `Meditron` will do.

    Raises ProfileError where the name ends in no known token.
    """
    by_token = {profile.icbhi_token: profile for profile in load_profiles(environ).values() if profile.icbhi_token}
    token = Path(file_name).stem.rsplit("_", 1)[-1]
    if token not in by_token:
        raise ProfileError(
            f"{file_name}: the file name does not end in an ICBHI device ({', '.join(sorted(by_token))}); "
            "name the stethoscope with --device"
        )
    return by_token[token]


def read_profile(path: Path) -> Profile:
    """The profile in a JSON file. Raises ProfileError naming the file, the key and what is expected there."""
    fields = _read_json(path)
    _check_keys(fields, KEYS, f"{path}:")
    _expect(fields["schema"] == SCHEMA, path, "schema", f"{SCHEMA}", fields["schema"])
    _expect(fields["name"] == path.stem, path, "name", f"{path.stem!r}, as the file is called", fields["name"])
    for key in ("title", "model"):
        _expect(_is_text(fields[key]), path, key, "a text", fields[key])
    token = fields["icbhi_token"]
    _expect(token is None or _is_text(token), path, "icbhi_token", "a text or null", token)
    sources: dict[str, str] = {}
    return Profile(
        name=fields["name"],
        title=fields["title"],
        icbhi_token=token,
        model=fields["model"],
        connection=_read_connection(fields, path, sources),
        native_sample_rates_hz=_read_rates(fields, path, sources),
        acoustic_band_hz=_read_band(fields, path, sources),
        quality=_read_quality(fields, path, sources),
        sources=sources,
    )


def _profile_paths(environ: Mapping[str, str]) -> dict[str, Path]:
    return {path.stem: path for folder in _profile_folders(environ) for path in sorted(folder.glob("*.json"))}


def _profile_folders(environ: Mapping[str, str]) -> Iterator[Path]:
    """The folders of profiles; a later one's files take the place of an earlier one's."""
    yield Path(__file__).resolve().with_suffix("")
    named = environ.get(PROFILES_VARIABLE)
    if named:
        if not Path(named).is_dir():
            raise ProfileError(f"{PROFILES_VARIABLE}={named}: no such folder; name one that holds profiles (*.json)")
        yield Path(named)


def _read_json(path: Path) -> dict[str, Any]:
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ProfileError(f"{path}: cannot be read ({error.strerror}); check the path and its permissions") from error
    except ValueError as error:
        raise ProfileError(
            f"{path}: not JSON ({error}); compare it with a profile that comes with the program"
        ) from error
    if not isinstance(fields, dict):
        raise ProfileError(f"{path}: a profile is a JSON object; compare it with one that comes with the program")
    return fields


def _read_connection(fields: Mapping[str, Any], path: Path, sources: dict[str, str]) -> str:
    value = _sourced(fields, "connection", path, sources)
    _expect(_is_text(value), path, "connection", "a text", value)
    return str(value)


def _read_rates(fields: Mapping[str, Any], path: Path, sources: dict[str, str]) -> tuple[int, ...]:
    key = "native_sample_rates_hz"
    value = _sourced(fields, key, path, sources)
    holds = isinstance(value, list) and len(value) > 0 and all(type(rate) is int and rate > 0 for rate in value)
    _expect(holds, path, key, "a list of whole numbers of hertz", value)
    return tuple(value)


def _read_band(fields: Mapping[str, Any], path: Path, sources: dict[str, str]) -> tuple[float, float]:
    key = "acoustic_band_hz"
    value = _sourced(fields, key, path, sources)
    holds = isinstance(value, list) and len(value) == 2 and all(map(_is_number, value)) and 0 <= value[0] < value[1]
    _expect(holds, path, key, "[low, high] in hertz with 0 <= low < high", value)
    return float(value[0]), float(value[1])


def _read_quality(fields: Mapping[str, Any], path: Path, sources: dict[str, str]) -> QualityLimits:
    limits = fields["quality"]
    _expect(isinstance(limits, dict), path, "quality", f"an object with {', '.join(sorted(QUALITY_KEYS))}", limits)
    for key, instead in NO_LONGER_MEASURED.items():
        if key in limits:
            raise ProfileError(f"{path}: quality.{key} is no longer measured; take it out and give {instead}, instead")
    _check_keys(limits, QUALITY_KEYS, f"{path}: quality:", optional=set(QUALITY_RANGES))
    return QualityLimits(**{key: _read_limit(limits, key, path, sources) for key in QUALITY_RANGES if key in limits})


def _read_limit(limits: Mapping[str, Any], key: str, path: Path, sources: dict[str, str]) -> float:
    value = _sourced(limits, key, path, sources, "quality.")
    allowed = QUALITY_RANGES[key]
    _expect(_is_number(value) and allowed.holds(value), path, f"quality.{key}", allowed.expected, value)
    return float(value)


def _sourced(fields: Mapping[str, Any], key: str, path: Path, sources: dict[str, str], prefix: str = "") -> Any:
    """The value of `{"value": ..., "source": "..."}`; the source goes to `sources`."""
    pair = fields[key]
    holds = isinstance(pair, dict) and set(pair) == {"value", "source"} and _is_text(pair["source"])
    _expect(holds, path, prefix + key, 'an object with "value" and "source", the source a text', pair)
    sources[prefix + key] = pair["source"]
    return pair["value"]


def _check_keys(fields: Mapping[str, Any], needed: set[str], where: str, optional: Set[str] = frozenset()) -> None:
    if missing := sorted(needed - set(fields)):
        raise ProfileError(f"{where} lacks {', '.join(missing)}; a profile says all of {', '.join(sorted(needed))}")
    known = needed | optional
    if unknown := sorted(set(fields) - known):
        raise ProfileError(f"{where} has unknown {', '.join(unknown)}; a profile says only {', '.join(sorted(known))}")


def _expect(holds: bool, path: Path, key: str, expected: str, found: object) -> None:
    if not holds:
        shown = re.sub(r"(.{60}).+", r"\1...", json.dumps(found))
        raise ProfileError(f"{path}: {key} must be {expected}; it is {shown}")


def _is_text(value: object) -> bool:
    return isinstance(value, str) and value.strip() != ""


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
