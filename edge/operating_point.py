"""Operating points: how abnormal sound must seem to be called abnormal, as a bundle's manifest gives it.

A threshold is held against the abnormal probability, 1 - P(normal) after calibration. It decides normal or abnormal and
nothing else, so that the sensitivity and specificity that name a point are those of two classes: abnormal sound called
abnormal, whichever way, and normal sound called normal. `figures` holds these and the four-class ones of ICBHI.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edge.errors import BundleError, UsageError

POINTS_KEYS = frozenset({"default", "points", "chosen_on"})
POINT_KEYS = frozenset({"abnormal_threshold", "figures"})


@dataclass(frozen=True)
class OperatingPoint:
    """One threshold, and what came of it where it was chosen."""

    name: str
    abnormal_threshold: float
    """Between 0 and 1: sound whose 1 - P(normal) is at least this is abnormal."""
    figures: Mapping[str, Any] = field(default_factory=dict, hash=False)
    """As `export.operating_points` writes them; the device needs none of them."""


@dataclass(frozen=True)
class OperatingPoints:
    """All those of a bundle, by name; a bundle may have none."""

    points: Mapping[str, OperatingPoint] = field(default_factory=dict, hash=False)
    default: str | None = None
    """The one that is used where none is asked for; None where there is none."""


NO_OPERATING_POINTS = OperatingPoints()


def chosen_point(points: OperatingPoints, name: str | None, model_id: str) -> OperatingPoint | None:
    """The point called `name`, or the default one; None where `model_id` has none and none is asked for.

    Raises UsageError where there is no such point.
    """
    wanted = points.default if name is None else name
    if wanted is None:
        return None
    if wanted in points.points:
        return points.points[wanted]
    if not points.points:
        raise UsageError(f"--operating-point {wanted}: {model_id} has no operating points; leave it out")
    raise UsageError(f"--operating-point {wanted}: {model_id} has {', '.join(points.points)}; choose one of them")


def read_operating_points(manifest: Mapping[str, Any], path: Path) -> OperatingPoints:
    """Those under `operating_points` in a manifest, read from `path`. Raises BundleError where they are none."""
    if "operating_points" not in manifest:
        return NO_OPERATING_POINTS
    where, entry = f"{path}: 'operating_points'", manifest["operating_points"]
    if not isinstance(entry, dict) or not {"default", "points"} <= entry.keys() <= POINTS_KEYS:
        raise BundleError(f"{where} must have a 'default' and 'points'; pack the bundle again")
    listed = entry["points"]
    if not isinstance(listed, dict) or not listed:
        raise BundleError(f"{where} lists no point; pack the bundle again")
    points = {name: _read_point(name, each, where) for name, each in listed.items()}
    if not isinstance(entry["default"], str) or entry["default"] not in points:
        raise BundleError(f"{where}: the default {entry['default']!r} is none of {list(points)}; pack the bundle again")
    return OperatingPoints(points, entry["default"])


def _read_point(name: str, entry: Any, where: str) -> OperatingPoint:
    if not (name.isascii() and name.isidentifier()):  # it is typed, and stands on terminals, in tables and in pages
        raise BundleError(f"{where}: {name!r} is no name of letters, digits and _ for a point; pack the bundle again")
    if not isinstance(entry, dict) or entry.keys() != POINT_KEYS or not isinstance(entry["figures"], dict):
        raise BundleError(f"{where}: {name!r} must have an 'abnormal_threshold' and 'figures'; pack the bundle again")
    threshold = entry["abnormal_threshold"]
    if type(threshold) is not float or not 0 < threshold < 1:
        raise BundleError(f"{where}: {name!r} must have a threshold between 0 and 1, not {threshold!r}; pack again")
    return OperatingPoint(name, threshold, entry["figures"])
