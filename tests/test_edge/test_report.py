"""The page of a run: complete, private, harmless whatever the files are called, and true to the records."""

from __future__ import annotations

import base64
import hashlib
import html
import io
import re
import resource
import stat
import wave
from collections.abc import Iterator, Mapping
from datetime import date
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from edge.bundle import load_bundle
from edge.errors import OutputError, RecordingError
from edge.labels import LABELS
from edge.quality import Reason
from edge.report.report import check_report, findings_from_records, write_report
from edge.report.text import clock, reason_text, shown

if TYPE_CHECKING:
    from tests.test_edge.conftest import Breathing, WriteSound

VOID = {"meta", "img", "input", "br", "link", "hr"}
HOSTILE_NAMES = (
    "<script>alert(1)<.wav",
    "\"quoted\" 'twice' & more.wav",
    "two\nlines\tand a tab.wav",
    "a\u202egnp.wav",
    "caf\udce9 in Latin-1.wav",
    "--><!-- $summary ${title}.wav",
    "\u2028\u0085\x7f.wav",
)


class Page(HTMLParser):
    """Every element of a page with its attributes, in order; fails on one that is not closed as it was opened."""

    def __init__(self, content: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.words: list[str] = []
        self._open: list[str] = []
        self.feed(content)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names)), f"<{tag}> has an attribute twice: {names}"
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID and not self.get_starttag_text().rstrip().endswith("/>"):  # type: ignore[union-attr]
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if self.get_starttag_text() is not None and (not self._open or self._open[-1] != tag):
            raise AssertionError(f"</{tag}> closes {self._open[-1:]}")
        self._open.pop()

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    def all(self, tag: str, kind: str | None = None) -> list[dict[str, str]]:
        found = [attributes for name, attributes in self.elements if name == tag]
        return [a for a in found if kind is None or kind in a.get("class", "").split()]

    @property
    def text(self) -> str:
        return " ".join("".join(self.words).split())


def result(source: Path, start_s: float, end_s: float, label: str | None, **fields: Any) -> dict[str, Any]:
    reason = {"name": "silence", "measured": -71.25, "threshold": -60.0, "unit": "dBFS"}
    shares = dict.fromkeys(LABELS, 0.1) | {label or "normal": 0.7}
    return {
        "record": "result", "source": str(source), "device": "meditron", "start_s": start_s, "end_s": end_s,
        "label": label, "probabilities": shares, "model": "common@1234",
        "quality": {"ok": label is not None, "reasons": [] if label else [reason]}, **fields,
    }  # fmt: skip


def file_record(source: Path, sound_s: float) -> dict[str, Any]:
    return {"record": "file", "source": str(source), "device": "meditron", "sound_s": sound_s}


def records_of(source: Path) -> Iterator[dict[str, Any]]:
    """20 s: normal, then wheeze, then too quiet."""
    yield result(source, 0, 7, "normal")
    yield result(source, 5, 12, "wheeze")
    yield result(source, 8, 15, "wheeze")
    yield result(source, 13, 20, None)
    yield {"record": "event", "event": "breath-sound", "source": str(source), "start_s": 5.5, "end_s": 14.5,
           "label": "wheeze", "peak_probability": 0.91, "mean_probability": 0.66}  # fmt: skip
    yield file_record(source, 20.0)


@pytest.fixture
def recording(breathing: Breathing, write_sound: WriteSound) -> Path:
    return write_sound("ward/breath.wav", breathing(20))


def write(path: Path, records: Any, *, with_audio: bool = False, metrics: Mapping[str, Any] | None = None) -> Page:
    write_report(path, records, with_audio=with_audio, metrics=metrics, made_on=date(2026, 11, 23))
    return Page(path.read_text(encoding="utf-8"))


def test_a_report_says_what_was_found_in_words(tmp_path: Path, recording: Path) -> None:
    page = write(tmp_path / "report.html", records_of(recording))
    assert "4 windows: 2 abnormal (wheeze 2), 1 normal, 1 without a label (too quiet" in page.text
    assert "measured -71.2 dBFS, limit -60 dBFS" in page.text
    assert "5.5 s14.5 swheeze91 %66 %" in page.text
    assert page.text.count("RESEARCH USE ONLY. Not a medical device.") >= 2
    alt = page.all("img")[-1]["alt"]
    assert alt.startswith("Spectrogram of 20.0 s, 50 to 2000 Hz: wheeze 5.0 s to 15.0 s; no label (too quiet")


def test_marks_stand_where_their_times_are_and_differ_by_more_than_colour(tmp_path: Path, recording: Path) -> None:
    page = write(tmp_path / "report.html", records_of(recording))
    span_s = float(page.all("figure")[0]["data-span"])
    assert span_s == pytest.approx(20, abs=0.064)
    edges = [float(line["x1"].rstrip("%")) * span_s / 100 for line in page.all("line", "edge")]
    assert edges == pytest.approx([5, 15], abs=1e-3)
    hatched = page.all("rect", "hatched")
    assert [float(h["x"].rstrip("%")) * span_s / 100 for h in hatched] == pytest.approx([13], abs=1e-3)
    assert [float(h["width"].rstrip("%")) * span_s / 100 for h in hatched] == pytest.approx([7], abs=1e-3)
    assert len(page.all("pattern")) == 1


def test_the_row_of_a_recording_carries_what_it_is_sorted_and_filtered_by(tmp_path: Path, recording: Path) -> None:
    rows = write(tmp_path / "report.html", records_of(recording)).all("tr")
    row = next(row for row in rows if "data-card" in row)
    assert row == {
        "data-card": "r1", "data-file": str(recording), "data-length": "20.000", "data-abnormal": "0.5000",
        "data-refused": "0.2500", "data-peak": "0.7000", "data-labels": "wheeze none",
    }  # fmt: skip


def test_annotated_cycles_stand_beside_what_the_classifier_heard(tmp_path: Path, recording: Path) -> None:
    cycles = [result(recording, 4 * n, 4 * n + 4, "crackle", cycle=n, annotated="both") for n in range(5)]
    page = write(tmp_path / "report.html", [*cycles, file_record(recording, 20.0)])
    assert "5 breathing cycles: 5 abnormal (crackle 5), 0 normal." in page.text
    assert len(page.all("svg", "lane")) == 2
    assert len(page.all("rect", "both")) == 5
    assert len(page.all("rect", "crackle")) == 5


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_a_files_name_is_shown_and_never_obeyed(tmp_path: Path, breathing: Breathing, name: str) -> None:
    import soundfile

    source = tmp_path / name
    with source.open("wb") as file:
        soundfile.write(file, breathing(8), 8000, format="WAV")
    failed = {"record": "error", "source": str(source) + "2", "error": f"{source}2: empty (0 bytes)"}
    page = write(tmp_path / "report.html", [result(source, 0, 7, "wheeze"), file_record(source, 8.0), failed])
    assert len(page.all("script")) == 1
    assert len(page.all("article")) == 2
    assert len(page.all("img")) == 2
    assert not re.search("[\u202a-\u202e\u2066-\u2069\u2028\x7f\x85\x00-\x08]", page.text)
    assert html.unescape(shown(name)) in page.text


def test_what_cannot_be_seen_is_written_out() -> None:
    assert shown("a\nb\u202ec\udcffd<'\"&") == "a\\nb\\u202ec\\xffd&lt;&#x27;&quot;&amp;"
    assert shown("Müller 患者.wav") == "Müller 患者.wav"


def test_only_the_pages_own_style_and_script_may_act_and_nothing_may_connect(tmp_path: Path, recording: Path) -> None:
    page = write(tmp_path / "report.html", records_of(recording), with_audio=True)
    content = (tmp_path / "report.html").read_text(encoding="utf-8")
    policy = next(meta["content"] for meta in page.all("meta") if "http-equiv" in meta)
    allowed = dict(part.split(" ", 1) for part in policy.split("; "))
    assert allowed["default-src"] == "'none'"
    assert (allowed["img-src"], allowed["media-src"]) == ("data:", "data:")
    for tag in ("style", "script"):
        inner = re.search(f"<{tag}>(.*?)</{tag}>", content, re.DOTALL)
        assert inner is not None
        digest = base64.b64encode(hashlib.sha256(inner[1].encode()).digest()).decode()
        assert allowed[f"{tag}-src"] == f"'sha256-{digest}'"
    addresses = [a[key] for _, a in page.elements for key in ("src", "href", "action") if key in a]
    assert [address for address in addresses if not address.startswith(("data:", "#"))] == []
    assert not any(name.startswith("on") or name == "style" for _, a in page.elements for name in a)


def test_sound_is_in_the_page_only_when_asked_for(tmp_path: Path, recording: Path) -> None:
    without = write(tmp_path / "without.html", records_of(recording))
    assert without.all("audio") == []
    assert "--report-audio" in without.text
    players = write(tmp_path / "with.html", records_of(recording), with_audio=True).all("audio")
    assert [(player["preload"], player["data-start"]) for player in players] == [("none", "0.000")]
    with wave.open(io.BytesIO(base64.b64decode(players[0]["src"].removeprefix("data:audio/wav;base64,")))) as sound:
        assert sound.getnframes() / sound.getframerate() == pytest.approx(20, abs=0.01)


def test_of_a_long_recording_the_sound_around_its_findings_is_there_and_the_rest_is_named(
    tmp_path: Path, breathing: Breathing, write_sound: WriteSound
) -> None:
    long = write_sound("long.wav", np.tile(breathing(13, 4000), 10), 4000)
    records = [result(long, 0, 7, "normal"), result(long, 100, 107, "crackle"), file_record(long, 130.0)]
    page = write(tmp_path / "report.html", records, with_audio=True)
    assert [(a["data-start"], a["data-end"]) for a in page.all("audio")] == [("98.000", "109.000")]
    assert (
        "only what lies around the most probable abnormal windows can be heard here; 1:59 min are left out" in page.text
    )


def test_a_page_holds_a_bounded_amount_of_sound(
    tmp_path: Path, recording: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge.report.report.MAX_PAGE_AUDIO_S", 50.0)
    records = [record for _ in range(4) for record in records_of(recording)]
    page = write(tmp_path / "report.html", records, with_audio=True)
    assert len(page.all("audio")) == 2
    assert page.text.count("this page holds as much as it can") == 2


def test_a_recording_that_could_not_be_scored_is_named_with_its_reason(tmp_path: Path, recording: Path) -> None:
    failed = {"record": "error", "source": "/data/b.wav", "error": "/data/b.wav: empty (0 bytes); record it again"}
    page = write(tmp_path / "report.html", [failed, *records_of(recording)])
    assert "Could not be scored. /data/b.wav: empty (0 bytes); record it again" in page.text
    assert "2 recordings, 20.0 s of sound1 with at least one abnormal label" in page.text
    assert "1 could not be scored" in page.text


def test_a_recording_that_went_away_meanwhile_still_has_its_findings(tmp_path: Path, recording: Path) -> None:
    records = list(records_of(recording))
    recording.unlink()
    page = write(tmp_path / "report.html", records)
    assert "No picture" in page.text
    assert "no such file" in page.text
    assert "4 windows: 2 abnormal" in page.text


def test_no_recording_at_all_is_a_page_too(tmp_path: Path) -> None:
    assert "0 recordings" in write(tmp_path / "report.html", []).text


def test_a_models_measured_figures_are_shown_and_their_absence_said(tmp_path: Path, recording: Path) -> None:
    row = {"patients": 9, "cycles": 372, "specificity": 0.252, "specificity_sd": 0.0174, "sensitivity": None}
    metrics = {"common@1234": {"cross_validation": {"dataset": "icbhi", "extent": "subset", "rows": {"<all>": row}}}}
    known = write(tmp_path / "known.html", records_of(recording), metrics=metrics)
    assert "<all>937225 % ± 2–" in known.text
    unknown = write(tmp_path / "unknown.html", records_of(recording), metrics={})
    assert "No measured figures were at hand" in unknown.text


def test_labels_decided_at_operating_points_stand_beside_the_figures_of_these(tmp_path: Path, recording: Path) -> None:
    row = {"patients": 9, "cycles": 372, "specificity": 0.83, "sensitivity": 0.2}
    crossed = {"dataset": "icbhi", "extent": "full", "rows": {"all": row}}
    chosen = {"two_class": {"specificity": 0.5, "sensitivity": 0.8}, "four_class": {"sensitivity": 0.4}}
    held_out = {"two_class": {"specificity": 0.52, "sensitivity": 0.77}, "four_class": {"sensitivity": 0.38}}
    points = {"balanced": {**chosen, "held_out": None}, "sensitive": {**chosen, "held_out": held_out}, "own": {}}
    metrics = {"common@1234": {"cross_validation": crossed, "operating_points": points}}
    page = write(tmp_path / "pointed.html", records_of(recording), metrics=metrics)
    assert "balanced50 %80 %40 %" in page.text
    assert "sensitive52 %77 %38 %" in page.text
    assert "the likeliest class was the label, not decided at an operating point" in page.text
    plain = write(
        tmp_path / "plain.html", records_of(recording), metrics={"common@1234": {"cross_validation": crossed}}
    )
    assert "perating point" not in plain.text


def test_the_figures_of_the_released_models_are_found_by_themselves(
    tmp_path: Path, recording: Path, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RESPIRE_EDGE_MODELS", raising=False)
    model_id = load_bundle(repository / "models" / "common").model_id
    records = [result(recording, 0, 7, "normal") | {"model": model_id}, file_record(recording, 20.0)]
    page = write(tmp_path / "report.html", records)
    assert f"{model_id} At each operating point" in page.text
    assert "Measured on people whom the network had never heard (icbhi, subset)" in page.text


@pytest.mark.parametrize(
    "metrics",
    [
        {},
        {"cross_validation": 3},
        {"cross_validation": {"rows": [1]}},
        {"operating_points": 3},
        {"operating_points": {"a": {"two_class": 1}}},
    ],
)
def test_metrics_of_another_shape_are_as_good_as_none(tmp_path: Path, recording: Path, metrics: Any) -> None:
    page = write(tmp_path / "report.html", records_of(recording), metrics={"common@1234": metrics})
    assert "No measured figures were at hand" in page.text


def test_a_report_is_for_its_owner_alone_and_replaces_the_one_before(tmp_path: Path, recording: Path) -> None:
    path = tmp_path / "report.html"
    path.write_text("before")
    path.chmod(0o644)
    write(path, records_of(recording))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert sorted(p.name for p in tmp_path.iterdir()) == ["report.html", "ward"]


def test_a_run_that_fails_leaves_the_page_before_and_nothing_else(tmp_path: Path, recording: Path) -> None:
    path = tmp_path / "report.html"
    path.write_text("before")

    def breaks() -> Iterator[dict[str, Any]]:
        yield from records_of(recording)
        raise RecordingError("stopped")

    with pytest.raises(RecordingError, match="stopped"):
        write(path, breaks())
    assert path.read_text() == "before"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["report.html", "ward"]


def test_a_place_that_cannot_be_written_is_named_in_one_line(tmp_path: Path, recording: Path) -> None:
    nowhere = tmp_path / "missing" / "report.html"
    for attempt in (lambda: check_report(nowhere), lambda: write(nowhere, records_of(recording))):
        with pytest.raises(
            OutputError, match=r"missing/report\.html: the report cannot be written \(No such file"
        ) as caught:
            attempt()
        assert "\n" not in str(caught.value)
    with pytest.raises(OutputError, match=r"choose a name that ends in \.html"):
        check_report(tmp_path / "report.pdf")
    check_report(tmp_path / "report.html")
    assert not (tmp_path / "report.html").exists()


def test_a_folder_in_the_reports_place_is_refused_before_and_after(tmp_path: Path, recording: Path) -> None:
    (tmp_path / "report.html").mkdir()
    with pytest.raises(OutputError):
        check_report(tmp_path / "report.html")
    with pytest.raises(OutputError):
        write(tmp_path / "report.html", records_of(recording))


def test_what_a_killed_run_left_does_not_stand_in_the_way_nor_lead_elsewhere(tmp_path: Path, recording: Path) -> None:
    elsewhere = tmp_path / "ward" / "elsewhere"
    (tmp_path / ".report.html.partial").symlink_to(elsewhere)
    write(tmp_path / "report.html", records_of(recording))
    assert not elsewhere.exists()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["report.html", "ward"]


def test_a_disk_that_is_full_costs_one_line_and_leaves_the_page_before(tmp_path: Path, recording: Path) -> None:
    path = tmp_path / "report.html"
    path.write_text("before")
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, hard))
    try:
        with pytest.raises(OutputError, match=r"report\.html: the report cannot be written \(File too large\)"):
            write(path, records_of(recording))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, hard))
    assert path.read_text() == "before"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["report.html", "ward"]


def test_each_recording_ends_with_its_own_record(recording: Path) -> None:
    again = [*records_of(recording), *records_of(recording)]
    assert [findings.windows for findings in findings_from_records(again)] == [4, 4]


@pytest.mark.parametrize(
    ("time_s", "span_s", "text"),
    [(3.25, 20, "3.2 s"), (75, 300, "1:15"), (3725, 4000, "1:02:05"), (0, 86400, "0:00:00")],
)
def test_times_are_written_as_fine_as_the_recording_is_long(time_s: float, span_s: float, text: str) -> None:
    assert clock(time_s, span_s) == text


def test_reasons_are_told_in_words_with_their_measurement() -> None:
    clipping = Reason("clipping", 0.124, 0.01, "share")
    assert reason_text(clipping) == "too loud, overdriven (measured 12.4 %, limit 1 %)"
    band = Reason("band", 0.34, 0.2, "share above 1 kHz")
    assert reason_text(band).endswith("(measured 34 % above 1 kHz, limit 20 % above 1 kHz)")
    assert reason_text(Reason("new-kind", 3.0, 2.0, "s")) == "new kind (measured 3 s, limit 2 s)"
