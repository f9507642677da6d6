"""From records to stretches that a person reads, and to the sound around them."""

from __future__ import annotations

import io
import wave
from typing import Any

import numpy as np
import pytest

from edge.labels import LABELS
from edge.report.excerpts import MAX_EXCERPT_S, Cutter, Excerpt, choose_excerpts
from edge.report.findings import MAX_STRETCHES, Findings, Stretch

SILENCE = {"name": "silence", "measured": -70.0, "threshold": -60.0, "unit": "dBFS"}


def result(start_s: float, end_s: float, label: str | None, probability: float = 0.7, **fields: Any) -> dict[str, Any]:
    shares = dict.fromkeys(LABELS, round((1 - probability) / 3, 4)) | {label or "normal": probability}
    quality = fields.pop("quality", {"ok": label is not None, "reasons": [] if label else [SILENCE]})
    return {
        "record": "result", "source": "a.wav", "device": "meditron", "start_s": start_s, "end_s": end_s,
        "label": label, "probabilities": shares, "quality": quality, "model": "common@1234", **fields,
    }  # fmt: skip


def findings_of(*records: dict[str, Any]) -> Findings:
    findings = Findings("a.wav")
    for record in records:
        findings.add(record)
    return findings


def times(stretches: list[Stretch]) -> list[tuple[float, float, str | None]]:
    return [(stretch.start_s, stretch.end_s, stretch.label) for stretch in stretches]


def test_windows_that_overlap_and_say_the_same_become_one_stretch() -> None:
    windows = [(0.0, "wheeze", 0.6), (3.5, "wheeze", 0.9), (7.0, "normal", 0.9), (17.5, "wheeze", 0.5)]
    found = findings_of(*(result(start_s, start_s + 7, label, p) for start_s, label, p in windows))
    assert times(found.flagged.found) == [(0.0, 10.5, "wheeze"), (17.5, 24.5, "wheeze")]
    assert found.flagged.found[0].probability == 0.9
    assert (found.windows, found.abnormal, found.refused) == (4, 3, 0)
    assert found.peak_probability == 0.9


def test_a_refused_stretch_keeps_its_reasons_and_what_was_furthest_off() -> None:
    worse = {"ok": False, "reasons": [SILENCE | {"measured": -90.0}]}
    found = findings_of(result(0, 7, None), result(3.5, 10.5, None, quality=worse), result(7, 14, "normal"))
    assert times(found.flagged.found) == [(0, 10.5, None)]
    assert [(reason.name, reason.measured) for reason in found.flagged.found[0].reasons] == [("silence", -90.0)]
    assert (found.refused, found.reasons["silence"]) == (2, 2)


def test_reasons_are_counted_in_their_order_so_that_a_report_is_the_same_each_time() -> None:
    names = ["silence", "clipping", "speech", "band", "knock", "hum", "dc", "gap"]
    several = {"ok": False, "reasons": [SILENCE | {"name": name} for name in [*names, "band"]]}
    found = findings_of(result(0, 7, None, quality=several))
    assert list(found.reasons.items()) == [(name, 1) for name in names]


def test_stretches_without_a_label_for_different_reasons_are_drawn_as_one() -> None:
    clipped = {"ok": False, "reasons": [SILENCE | {"name": "clipping"}]}
    found = findings_of(result(0, 7, None), result(3.5, 10.5, None, quality=clipped), result(50, 57, None))
    assert len(found.flagged.found) == 3
    assert times(found.without_label()) == [(0, 10.5, None), (50, 57, None)]


def test_the_probability_of_a_window_that_was_refused_counts_for_nothing() -> None:
    loud = result(0, 7, None) | {"probabilities": {"normal": 0.0, "crackle": 0.0, "wheeze": 1.0, "both": 0.0}}
    assert findings_of(loud).peak_probability is None


def test_annotated_cycles_stay_apart_with_the_listeners_label() -> None:
    cycles = (result(n, n + 1, "crackle", cycle=n, annotated=("crackle", "normal", "both")[n]) for n in range(3))
    found = findings_of(*cycles)
    assert found.in_cycles
    assert [stretch.annotated for stretch in found.flagged.found] == ["crackle", "normal", "both"]
    assert times(found.annotated.found) == [(0, 1, "crackle"), (1, 2, "normal"), (2, 3, "both")]


def test_a_restless_night_is_told_in_a_bounded_number_of_stretches_that_cover_all_of_it() -> None:
    labels = ("wheeze", "normal", "crackle", None)
    found = findings_of(*(result(10 * n, 10 * n + 7, labels[n % 4]) for n in range(8640)))
    assert len(found.flagged.found) <= MAX_STRETCHES
    assert found.flagged.gap_s > 0
    assert found.windows == 8640
    wheezes = [stretch for stretch in found.flagged.found if stretch.label == "wheeze"]
    assert wheezes[0].start_s == 0
    assert wheezes[-1].end_s == 8636 * 10 + 7
    assert all(any(w.start_s <= 10 * n and 10 * n + 7 <= w.end_s for w in wheezes) for n in range(0, 8640, 4))


def test_events_are_kept_and_those_beyond_the_limit_counted() -> None:
    event = {"record": "event", "event": "breath-sound", "source": "a.wav", "start_s": 1.0, "end_s": 2.0,
             "label": "wheeze", "peak_probability": 0.9, "mean_probability": 0.8}  # fmt: skip
    found = findings_of(*([event] * (MAX_STRETCHES + 3)), event | {"event": "source-lost"})
    assert (len(found.events), found.further_events) == (MAX_STRETCHES, 3)
    assert found.events[0].peak_probability == 0.9


def test_a_short_recording_is_heard_whole() -> None:
    assert choose_excerpts(70.0, []) == [Excerpt(0.0, 70.0)]


def test_of_a_long_recording_the_most_probable_windows_are_heard_in_order_and_no_more() -> None:
    starts = [(100.0 * n + 3.5 * k, (n + k) / 100) for n in range(60) for k in (0, 1)]
    found = findings_of(*(result(start_s, start_s + 7, "wheeze", probability) for start_s, probability in starts))
    excerpts = choose_excerpts(6000.0, found.flagged.found)
    assert [excerpt.start_s for excerpt in excerpts] == sorted(excerpt.start_s for excerpt in excerpts)
    assert excerpts[-1] == Excerpt(5901.5, 5912.5)
    assert len(excerpts) == int(MAX_EXCERPT_S / 11)


def test_of_a_long_recording_without_findings_the_beginning_is_heard() -> None:
    refused = [Stretch(500.0, 600.0, None)]
    assert choose_excerpts(1000.0, refused) == [Excerpt(0.0, MAX_EXCERPT_S)]


@pytest.mark.parametrize("piece", [1, 777, 40000])
def test_clips_are_cut_at_their_samples_however_the_stream_is_cut(piece: int) -> None:
    sound = np.linspace(-0.5, 0.5, 40000, dtype=np.float32)
    cutter = Cutter([Excerpt(1.0, 2.0), Excerpt(5.0, 99.0)], 4000)
    for first in range(0, sound.size, piece):
        cutter.add(sound[first : first + piece])
    first_clip, last_clip = cutter.clips()
    assert (first_clip.start_s, first_clip.end_s) == (1.0, 2.0)
    assert (last_clip.start_s, last_clip.end_s) == (5.0, 10.0)
    with wave.open(io.BytesIO(first_clip.wave)) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (4000, 1, 2)
        heard = np.frombuffer(file.readframes(file.getnframes()), "<i2") / 32767
    np.testing.assert_allclose(heard, sound[4000:8000] * 10 ** (first_clip.gain_db / 20), atol=1e-4)
    assert 20 * np.log10(0.9 / 0.5) == pytest.approx(last_clip.gain_db, abs=0.01)


def test_silence_is_not_made_louder_than_the_limit() -> None:
    cutter = Cutter([Excerpt(0.0, 1.0)], 4000)
    cutter.add(np.zeros(4000, np.float32))
    assert cutter.clips()[0].gain_db == pytest.approx(40)
