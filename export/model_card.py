"""The model card of a bundle: the text of `model_card.md` with the figures of its manifest."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from importlib import resources
from string import Template
from typing import Any

from edge.bundle import COMMON_MODEL
from edge.labels import LABELS
from edge.signal.spec import FeatureSpec
from export.card_points import operating_points_text
from export.card_tables import percent, table
from export.expectation import FIGURES
from train.compare_answers import difference_text
from train.evaluation_text import interval_text

MODEL_CARD_NAME = "MODEL_CARD.md"
TEMPLATE_NAME = "model_card.md"
_REFERENCE = "pytorch"
_DOUBTED = ("score", "abnormal_auc")
_UNKNOWN = "not recorded"
DATASETS = {
    ("icbhi", "subset"): (
        "**ICBHI 2017 respiratory sound database** (Rocha et al., 2019), a *subset* of its 920 recordings, as "
        "many as the table says: **no figure on this page may be set beside the paper's or any other figure from the "
        "whole database.** Its publishers describe the database as freely available for research."
    ),
    ("icbhi", "full"): (
        "**ICBHI 2017 respiratory sound database** (Rocha et al., 2019), all 920 recordings. Its publishers describe "
        "it as freely available for research."
    ),
    ("sprsound", "as given"): (
        "**SPRSound** (Zhang et al., 2022): lung sounds of *children*, one digital stethoscope (YuntingII), at 4 kHz; "
        "its authors distribute it under GPL-3.0. Rhonchi and stridor are counted as wheeze, fine and coarse crackles "
        "as crackle."
    ),
}
"""What must be known about each set, by name and extent."""


def model_card(manifest: Mapping[str, Any], network: str) -> str:
    """Markdown; `network` describes the architecture in a few words."""
    run, metrics = manifest["training_run"], manifest["metrics"]
    template = Template(resources.files("export").joinpath(TEMPLATE_NAME).read_text(encoding="utf-8"))
    text = template.substitute(
        device=manifest["device"],
        network=network,
        window_s=f"{manifest['feature_spec']['window_s']:g}",
        image_shape=" × ".join(map(str, FeatureSpec.from_dict(manifest["feature_spec"]).image_shape)),
        fingerprint=manifest["feature_fingerprint"],
        recipe=run.get("recipe", _UNKNOWN),
        epoch=_epoch(run),
        seed=run.get("seed", _UNKNOWN),
        commit=_commit(run),
        files="\n".join(_file_row(name, entry) for name, entry in manifest["files"].items()),
        purposes=_purposes(manifest["files"]),
        quantization=_quantization(manifest["export"]["quantization"]),
        data=_data_table(run),
        datasets="\n\n".join(DATASETS[name, found["extent"]] for name, found in run.get("data", {}).items()),
        measured_on=_validation_sentence(metrics["measured_on"]),
        figures="\n\n".join(
            _figures_table(dataset, metrics, sorted(manifest["files"])) for dataset in metrics["measured_on"]
        ),
        intervals=_intervals(metrics, sorted(manifest["files"])),
        expectation=_expectation(metrics.get("cross_validation")),
        calibration=_calibration(manifest.get("temperature"), manifest["device"]),
        operating_points=operating_points_text(manifest.get("operating_points")),
        differences=_differences_table(metrics["models"]),
        confusions="\n\n".join(_confusion_table(dataset, manifest) for dataset in metrics["measured_on"]),
    )
    return "\n\n".join(_wrapped(block) if _is_prose(block) else block for block in text.split("\n\n"))


def _is_prose(block: str) -> bool:
    return not block.startswith(("#", "|", "- "))


def _wrapped(text: str) -> str:
    return textwrap.fill(text, 118, break_on_hyphens=False)


def _epoch(run: Mapping[str, Any]) -> str:
    return str(run["epoch"] + 1) if "epoch" in run else _UNKNOWN


def _commit(run: Mapping[str, Any]) -> str:
    code = run.get("code", {})
    return f"`{str(code.get('commit'))[:12]}`{' with local changes' if code.get('dirty') else ''}" if code else _UNKNOWN


def _file_row(name: str, entry: Mapping[str, Any]) -> str:
    precision = entry["precision"] + (f", {entry['activations']} activations" if "activations" in entry else "")
    return f"| `{name}` | {precision} | {entry['bytes']} | `{entry['sha256'][:16]}…` |"


def _purposes(files: Mapping[str, Any]) -> str:
    tensorrt = [f"`{name}`" for name in ("fp16.onnx", "int8-s8.onnx") if name in files]
    others = f", {' and '.join(tensorrt)} for TensorRT" if tensorrt else ""
    return f"`{_file_of_most_devices(files)}` is for ONNX Runtime on processors{others}."


def _quantization(by_file: Mapping[str, Mapping[str, Any]]) -> str:
    if not any("calibration" in facts for facts in by_file.values()):
        return "Nothing is quantised."
    first = next(facts for facts in by_file.values() if "calibration" in facts)
    calibration = first["calibration"]
    method = first["method"] + (f" {first['percentile']:g}" if "percentile" in first else "")
    ranges = (
        f"The INT8 files have int8 weights with one scale per output channel. Activation ranges ({method}) were "
        f"measured on {calibration['images']} images of {calibration['recordings']} recordings of "
        f"{calibration['patients']} training patients."
    )
    rows = [
        [f"`{name}`", f"`{layer}`", why] for name in by_file for layer, why in by_file[name]["float_layers"].items()
    ]
    return f"{ranges}\n\n{table(['file', 'left in float32', 'because'], rows)}"


def _data_table(run: Mapping[str, Any]) -> str:
    rows = []
    for dataset, found in run.get("data", {}).items():
        people = run["patients"][dataset]
        for side in ("training", "validation"):
            counts = [str(found["recordings"][side]), str(len(people[side])), str(found["cycles"][side])]
            rows.append([dataset, found["extent"], side, *counts])
    return table(["set", "extent", "side", "recordings", "patients", "cycles"], rows)


def _validation_sentence(measured_on: Mapping[str, Any]) -> str:
    parts = [f"{held['cycles']} cycles of {held['patients']} patients of {name}" for name, held in measured_on.items()]
    return f"Measured on {' and '.join(parts)}: every recording of the patients that the run held back."


def _figures_table(dataset: str, metrics: Mapping[str, Any], files: Sequence[str]) -> str:
    """A row for the set and one for each stethoscope; float32 beside every packed file."""
    models = {_REFERENCE: "float32", **{name: f"`{name}`" for name in files}}
    heading = [dataset, "patients", "cycles N/C/W/B", *(f"{title} Score / Sp / Se" for title in models.values())]
    figures = {name: metrics["models"][name]["figures"][dataset] for name in models}
    rows = [_figures_row("**all**", list(figures.values()))]
    for device in figures[_REFERENCE]["devices"]:
        rows.append(_figures_row(device, [held["devices"][device] for held in figures.values()]))
    return table(heading, rows)


def _intervals(metrics: Mapping[str, Any], files: Sequence[str]) -> str:
    """How sure Score and AUC are, where the comparison says it: those made before have no intervals."""
    reference = metrics["models"][_REFERENCE]["figures"]
    if any("intervals" not in held for held in reference.values()):
        return "How sure these figures are was not measured."
    text = (
        "In brackets are 95 % intervals, by bootstrap over patients with all their cycles; a dash: too few patients "
        "for one. They say nothing of what another training run, or another hospital, would give. A file's differences "
        "from float32 are of the same cycles, in points, with a two-sided p-value."
    )
    return "\n\n".join([text, *(_intervals_table(dataset, metrics["models"], files) for dataset in reference)])


def _intervals_table(dataset: str, models: Mapping[str, Any], files: Sequence[str]) -> str:
    held = models[_REFERENCE]["figures"][dataset]
    rows = [_interval_row("float32, **all**", held)]
    rows += [_interval_row(f"float32, {device}", row) for device, row in held["devices"].items()]
    for name in files:
        found = models[name]["differences"][dataset]
        cells = [difference_text(found[figure]) for figure in _DOUBTED]
        rows.append([f"`{name}` less float32", str(held["patients"]), *cells])
    return table([dataset, "patients", "Score", "AUC normal/abnormal"], rows)


def _interval_row(title: str, row: Mapping[str, Any]) -> list[str]:
    cells = [f"{percent(row[figure])} ({interval_text(row['intervals'][figure])})" for figure in _DOUBTED]
    return [title, str(row["patients"]), *cells]


def _expectation(crossed: Mapping[str, Any] | None) -> str:
    if crossed is None:
        return "Not measured: no cross-validation was made with this recipe."
    seeds = f"{crossed['seeds']} seed{'s' if crossed['seeds'] > 1 else ''}"
    text = (
        f"The recipe in cross-validation over all {crossed['patients']} patients of {crossed['dataset']} "
        f"({crossed['extent']}), mean ± standard deviation of {seeds}: every patient is answered by a network that "
        "never heard them, and nothing was selected on them. Calling everything normal gives a Score of 50."
    )
    rows = [_expected_row(title, row) for title, row in crossed["rows"].items()]
    heading = [crossed["dataset"], "patients", "cycles N/C/W/B", "Score", "Sp", "Se", "AUC normal/abnormal"]
    return f"{text}\n\n{table(heading, rows)}"


def _calibration(report: Mapping[str, Any] | None, device: str) -> str:
    if report is None:
        return "The probabilities are the network's own, not calibrated: 0.8 does not mean right in 8 of 10."
    own, titles = report["own"], {"none": "nothing", "own": f"cycles of {device}", "pooled": "all held-back cycles"}
    if device == COMMON_MODEL:
        titles["own"] = titles["pooled"]
    rows = [
        [titles[name], f"{tried['value']:.2f}", _to_four_digits(tried["left_out_nll"])]
        for name, tried in report["candidates"].items()
    ]
    nll, ece = ([own[when][key] for when in ("before", "after")] for key in ("nll", "ece"))
    text = (
        f"Results carry the network's probabilities at temperature {report['value']:.2f} (p to the power of "
        f"1 / temperature, made to add up to 1 again), which changes no decision. On the {own['cycles']} cycles of "
        f"{own['patients']} held-back patients that it was chosen on, the negative log-likelihood (NLL) went from "
        f"{nll[0]:.3f} to {nll[1]:.3f}, the expected calibration error from {percent(ece[0])} to {percent(ece[1])} "
        "points. Taken is the candidate with the lowest NLL where each patient is judged by a fit without them:"
    )
    return f"{text}\n\n{table(['fitted on', 'temperature', 'NLL'], rows)}"


def _to_four_digits(value: float | None) -> str:
    return "–" if value is None else f"{value:.4f}"


def _expected_row(title: str, row: Mapping[str, Any]) -> list[str]:
    by_class = "/".join(map(str, row["cycles_by_class"]))
    return [title, str(row["patients"]), by_class, *(_with_sd(row[key], row[f"{key}_sd"]) for key in FIGURES)]


def _with_sd(share: float | None, sd: float | None) -> str:
    return percent(share) if sd is None else f"{percent(share)} ± {percent(sd)}"


def _figures_row(title: str, held: Sequence[Mapping[str, Any]]) -> list[str]:
    by_class = "/".join(str(sum(row)) for row in held[0]["confusion"])
    scores = (" / ".join(percent(each[key]) for key in ("score", "specificity", "sensitivity")) for each in held)
    return [title, str(held[0]["patients"]), by_class, *scores]


def _differences_table(models: Mapping[str, Any]) -> str:
    rows = []
    for name in sorted(set(models) - {_REFERENCE}):
        entry = models[name]
        auc = ", ".join(f"{dataset} {percent(held['abnormal_auc'])}" for dataset, held in entry["figures"].items())
        maximum, mean = entry["max_probability_difference"], entry["mean_probability_difference"]
        rows.append([f"`{name}`", percent(entry["agreement"]), f"{maximum:.1e}", f"{mean:.1e}", auc])
    heading = ["against float32", "same decision", "largest difference", "mean difference", "AUC normal/abnormal"]
    return table(heading, rows)


def _file_of_most_devices(files: Mapping[str, Any]) -> str:
    """The one that ONNX Runtime runs on a processor: INT8 for it, else float32 (`edge.engine.onnx`)."""
    return max(files, key=lambda each: (files[each].get("activations") == "uint8", files[each]["precision"] == "fp32"))


def _confusion_table(dataset: str, manifest: Mapping[str, Any]) -> str:
    name = _file_of_most_devices(manifest["files"])
    matrix = manifest["metrics"]["models"][name]["figures"][dataset]["confusion"]
    rows = [[label, *(str(count) for count in counts)] for label, counts in zip(LABELS, matrix, strict=True)]
    return f"`{name}` on {dataset}, true class by row:\n\n" + table(["", *LABELS], rows)
