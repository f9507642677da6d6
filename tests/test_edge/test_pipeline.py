"""From sound to results: the same however the stream is cut, on the right clock, and averaged over a long cycle."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from edge.annotated_cycles import results_from_cycles
from edge.annotations import Cycle
from edge.audio.block import AudioBlock, block_from_channels
from edge.errors import AnnotationError, UsageError
from edge.intake import Intake
from edge.pipeline import Classifier, Pipeline, slider_from_hop
from edge.results import Result
from edge.signal.conditioning import condition_recording
from edge.signal.image import image_from_window
from edge.signal.spec import COMPACT

Breathing = Callable[..., NDArray[np.float32]]
RATE_HZ = 11025


@pytest.fixture(scope="session")
def sound(breathing: Breathing) -> NDArray[np.float32]:
    """12 s: two windows at a hop of 3 s, and a final one."""
    return breathing(12, RATE_HZ)


def stream(
    classifier: Classifier, blocks: Sequence[AudioBlock], hop_s: float = 3.0, rate_hz: int = RATE_HZ
) -> list[Result]:
    pipeline = Pipeline(classifier, "test", rate_hz, hop_s)
    return [result for block in blocks for result in pipeline.push(block)] + pipeline.finish()


def block(samples: NDArray[np.float32], lost: int = 0) -> AudioBlock:
    return block_from_channels(samples[:, np.newaxis], lost)


def spans(results: Sequence[Result]) -> list[tuple[float, float]]:
    return [(result.start_s, result.end_s) for result in results]


def reasons(results: Sequence[Result]) -> list[tuple[str, ...]]:
    return [tuple(reason.name for reason in result.quality.reasons) for result in results]


def test_a_recording_gives_a_result_every_hop_and_one_for_its_end(
    classifier: Classifier, sound: NDArray[np.float32]
) -> None:
    results = stream(classifier, [block(sound)])
    assert spans(results) == [(0, 7), (3, 10), (5, 12)]
    for result in results:
        assert (result.source, result.device, result.model) == ("test", "meditron", classifier.bundle.model_id)
        assert sum(result.probabilities.values()) == pytest.approx(1, abs=1e-5)
        assert result.label == max(result.probabilities, key=lambda label: result.probabilities[label])
        assert result.quality.ok


@settings(max_examples=15, deadline=None)
@given(cuts=st.lists(st.integers(0, 12 * RATE_HZ), max_size=12).map(sorted))
def test_how_the_stream_is_cut_changes_nothing(
    classifier: Classifier, sound: NDArray[np.float32], cuts: list[int]
) -> None:
    offline = stream(classifier, [block(sound)])
    streamed = stream(classifier, [block(part) for part in np.split(sound, cuts)])
    assert spans(streamed) == spans(offline)
    assert [result.label for result in streamed] == [result.label for result in offline]
    assert reasons(streamed) == reasons(offline)
    for one, other in zip(streamed, offline, strict=True):
        assert one.probabilities == pytest.approx(other.probabilities, abs=1e-4)


def test_results_come_as_soon_as_their_window_is_full(classifier: Classifier, sound: NDArray[np.float32]) -> None:
    pipeline = Pipeline(classifier, "test", RATE_HZ, 3.0)
    assert pipeline.push(block(sound[: 6 * RATE_HZ])) == []
    assert len(pipeline.push(block(sound[6 * RATE_HZ : round(7.05 * RATE_HZ)]))) == 1


def test_a_short_sound_is_repeated_and_its_own_end_is_told(classifier: Classifier, sound: NDArray[np.float32]) -> None:
    (result,) = stream(classifier, [block(sound[:RATE_HZ])])
    assert result.start_s == 0
    assert result.end_s == pytest.approx(1, abs=0.001)
    assert result.label is not None


def test_no_sound_gives_no_result(classifier: Classifier) -> None:
    assert stream(classifier, []) == []


def test_lost_samples_keep_the_clock_right_and_are_a_gap(classifier: Classifier, sound: NDArray[np.float32]) -> None:
    half = RATE_HZ // 2
    results = stream(classifier, [block(sound), block(sound, lost=half)])
    assert results[-1].end_s == pytest.approx(24.5, abs=0.001)
    gap_s = (12.0, 12.5)
    for result in results:
        touched = result.start_s < gap_s[1] and result.end_s > gap_s[0]
        assert [reason.name for reason in result.quality.reasons] == (["gap"] if touched else [])
        assert (result.label is None) == touched
    whole = [result for result in results if result.start_s <= gap_s[0] and result.end_s >= gap_s[1]]
    assert whole
    assert all(result.quality.reasons[0].measured == pytest.approx(0.5 / 7, abs=1e-3) for result in whole)


def test_a_gap_of_a_hundredth_of_a_second_is_closed_and_its_window_labelled(
    classifier: Classifier, sound: NDArray[np.float32]
) -> None:
    lost, at = RATE_HZ // 100, 5 * RATE_HZ
    unbroken = stream(classifier, [block(sound)])
    results = stream(classifier, [block(sound[:at]), block(sound[at + lost :], lost)])
    assert spans(results) == spans(unbroken)
    for result, expected in zip(results, unbroken, strict=True):
        assert result.quality.ok
        assert result.probabilities == pytest.approx(expected.probabilities, abs=0.02)


def test_many_short_gaps_are_too_much(classifier: Classifier, sound: NDArray[np.float32]) -> None:
    lost = RATE_HZ // 100
    pieces = [block(piece[lost:], lost) for piece in np.array_split(sound, 40)]
    for result in stream(classifier, pieces):
        assert [(reason.name, reason.threshold) for reason in result.quality.reasons] == [("gap", 0.02)]
        assert result.quality.reasons[0].measured == pytest.approx(0.01 * 40 / 12, rel=0.1)


def test_how_a_gap_is_told_changes_nothing(classifier: Classifier, sound: NDArray[np.float32]) -> None:
    for lost in (RATE_HZ // 100, RATE_HZ):
        nothing = sound[:0]
        at_once = stream(classifier, [block(sound[:50000]), block(sound[50000:], lost)])
        in_parts = [block(sound[:50000]), block(nothing, lost - 5), block(nothing), block(sound[50000:], 5)]
        streamed = stream(classifier, in_parts)
        assert spans(streamed) == spans(at_once)
        assert reasons(streamed) == reasons(at_once)
        for one, other in zip(streamed, at_once, strict=True):
            assert one.probabilities == pytest.approx(other.probabilities, abs=1e-4)


def test_many_minutes_without_a_device_gives_every_result_and_asks_the_network_once(
    classifier: Classifier, sound: NDArray[np.float32], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    infer = classifier.engine.infer

    def counted(images: NDArray[np.uint8]) -> NDArray[np.float32]:
        asked.append(len(images))
        return infer(images)

    monkeypatch.setattr(classifier.engine, "infer", counted)
    lost = 1200 * RATE_HZ
    results = stream(replace(classifier), [block(sound), block(sound, lost)], hop_s=1.0)
    assert [result.start_s for result in results] == list(range(1200 + 24 - 7 + 1))
    assert len(asked) < 60
    inside = [result for result in results if result.start_s > 13 and result.end_s < 1212]
    assert reasons(inside) == [("gap", "silence")] * len(inside)
    after = [result for result in results if result.start_s >= 1212]
    alone = stream(classifier, [block(sound)], hop_s=1.0)
    assert [result.label for result in after] == [result.label for result in alone]


def test_a_long_gap_costs_no_filtering_and_changes_no_sample(breathing: Breathing) -> None:
    lost, sound = 5 * 44100 + 17, breathing(2, 44100)
    intake = Intake(44100, COMPACT)
    blocks = [AudioBlock(sound), AudioBlock(sound, lost_samples=lost)]
    taken = np.concatenate([*(piece for each in blocks for piece in intake.push(each)), intake.finish()])
    filtered = condition_recording(np.concatenate([sound, np.zeros(lost, np.float32), sound]), 44100, COMPACT)
    np.testing.assert_allclose(taken, filtered, atol=1e-7)


def test_faulty_samples_spoil_only_the_windows_they_lie_in(classifier: Classifier, sound: NDArray[np.float32]) -> None:
    spoiled = np.concatenate([sound, sound])
    at = round(12.5 * RATE_HZ)
    spoiled[at : at + 3] = [np.nan, np.inf, -np.inf]
    clean, results = stream(classifier, [block(np.concatenate([sound, sound]))]), stream(classifier, [block(spoiled)])
    for before, after in zip(clean, results, strict=True):
        if after.start_s < 12.5 < after.end_s:
            assert [reason.name for reason in after.quality.reasons] == ["non-finite"]
            assert after.label is None
        else:
            assert after.quality.ok
            assert after.probabilities == pytest.approx(before.probabilities, abs=1e-3)


def test_overdriven_sound_is_clipping(classifier: Classifier, sound: NDArray[np.float32]) -> None:
    results = stream(classifier, [block(sound * 100)])
    assert len(results) == 3
    assert all("clipping" in found for found in reasons(results))


def test_latency_is_what_the_clock_says(classifier: Classifier, sound: NDArray[np.float32]) -> None:
    ticks = iter(range(100))
    slow = replace(classifier, clock=lambda: next(ticks) / 4)
    assert [result.latency_ms for result in stream(slow, [block(sound)])] == [250.0] * 3


@pytest.mark.parametrize("hop_s", [0.0, 1e-9, 7.1, float("nan"), float("inf")])
def test_an_impossible_hop_is_refused(hop_s: float) -> None:
    with pytest.raises(UsageError, match="above 0 and up to 7 s"):
        slider_from_hop(hop_s, COMPACT)


def in_blocks(sound: NDArray[np.float32]) -> list[AudioBlock]:
    return [AudioBlock(piece) for piece in np.array_split(sound, 7)]


def test_each_cycle_gets_a_result_beside_its_annotation(classifier: Classifier, sound: NDArray[np.float32]) -> None:
    cycles = [Cycle(0.5, 3.0, crackle=True, wheeze=False), Cycle(3.0, 10.2, crackle=True, wheeze=True)]
    results = list(results_from_cycles(classifier, "a.wav", RATE_HZ, in_blocks(sound), cycles))
    assert spans(results) == [(0.5, 3.0), (3.0, 10.2)]
    assert [(result.cycle, result.annotated) for result in results] == [(0, "crackle"), (1, "both")]


def test_cycles_out_of_order_and_within_one_another_keep_the_order_of_their_annotations(
    classifier: Classifier, sound: NDArray[np.float32]
) -> None:
    cycles = [Cycle(6.0, 8.0, True, False), Cycle(0.5, 9.0, False, False), Cycle(1.0, 2.0, False, True)]
    together = list(results_from_cycles(classifier, "a.wav", RATE_HZ, in_blocks(sound), cycles))
    assert [result.cycle for result in together] == [0, 1, 2]
    for result, cycle in zip(together, cycles, strict=True):
        (expected,) = results_from_cycles(classifier, "a.wav", RATE_HZ, in_blocks(sound), [cycle])
        assert (result.start_s, result.end_s, result.label) == (expected.start_s, expected.end_s, expected.label)
        assert result.probabilities == pytest.approx(expected.probabilities, abs=1e-6)


def test_a_long_cycle_is_the_mean_of_its_windows(classifier: Classifier, sound: NDArray[np.float32]) -> None:
    (result,) = results_from_cycles(classifier, "a.wav", RATE_HZ, in_blocks(sound), [Cycle(0.0, 10.2, False, False)])
    conditioned = condition_recording(sound, RATE_HZ, COMPACT)[: round(10.2 * 4000)]
    starts = (0, conditioned.size - COMPACT.window_samples)
    images = [image_from_window(conditioned[start : start + COMPACT.window_samples], COMPACT) for start in starts]
    expected = classifier.engine.infer(np.stack(images)).mean(axis=0)
    assert list(result.probabilities.values()) == pytest.approx(expected.tolist(), abs=1e-5)


def test_a_cycle_without_a_sample_is_refused(classifier: Classifier, sound: NDArray[np.float32]) -> None:
    with pytest.raises(AnnotationError, match="holds no sample"):
        list(results_from_cycles(classifier, "a.wav", RATE_HZ, in_blocks(sound), [Cycle(1.0, 1.00001, False, False)]))
