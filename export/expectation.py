"""What to expect of a bundle on people it never heard: its recipe in cross-validation, from `train.cross_validate`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from train.tables.spread import spread

FIGURES: Final = ("score", "specificity", "sensitivity", "abnormal_auc")
"""Shares from 0 to 1, or null where nothing could be measured; each is the mean over the seeds."""


def expectation(report: Mapping[str, Any], icbhi_token: str | None) -> dict[str, Any]:
    """The rows that the model card shows, plain JSON values.

    `icbhi_token` names the stethoscope of a bundle trained further for it: its stage 2 beside the common model, on its
    own recordings; None, for the common bundle, gives all recordings and each stethoscope. Raises KeyError where the
    report does not hold them.
    """
    seeds: Sequence[Mapping[str, Any]] = report["seeds"]
    first = seeds[0]
    return {
        **{key: first[key] for key in ("dataset", "extent", "split", "recordings", "patients")},
        "seeds": len(seeds),
        "rows": _common_rows(seeds) if icbhi_token is None else _device_rows(seeds, icbhi_token),
    }


def _common_rows(seeds: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    devices = {device: _row([seed["devices"][device] for seed in seeds]) for device in seeds[0]["devices"]}
    return {"all": _row(seeds), **devices}


def _device_rows(seeds: Sequence[Mapping[str, Any]], token: str) -> dict[str, Any]:
    return {
        f"{token}, this model": _row([seed["fine_tuned"]["devices"][token] for seed in seeds]),
        f"{token}, the common model": _row([seed["devices"][token] for seed in seeds]),
    }


def _row(seeds: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    first = seeds[0]
    row: dict[str, Any] = {
        "patients": first["patients"],
        "cycles": first["cycles"],
        "cycles_by_class": [sum(counts) for counts in first["confusion"]],
    }
    for key in FIGURES:
        row[key], row[f"{key}_sd"] = _mean_and_sd([seed[key] for seed in seeds])
    return row


def _mean_and_sd(values: Sequence[float | None]) -> tuple[float | None, float | None]:
    found = spread(values)
    if found is None:
        return None, None
    return round(found.mean, 4), None if found.sd is None else round(found.sd, 4)
