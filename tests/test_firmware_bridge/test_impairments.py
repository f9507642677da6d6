"""What befalls frames on their way, and that the counts of it are true."""

from __future__ import annotations

from itertools import pairwise
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_bridge.frame import Frame, FrameDecoder, encode_frame
from firmware_bridge.impairments import Impairments, Parcel, Way, cut_short
from firmware_bridge.messages import MessageType

INTERVAL_S = 0.016


def parcels(count: int) -> list[Parcel]:
    """Frames that can be told apart by their seq, 16 ms after each other."""
    return [
        Parcel(
            number * INTERVAL_S,
            encode_frame(Frame(MessageType.AUDIO, number % (1 << 16), count=4, payload=b"\x01\x02\x03\x04" * 2)),
        )
        for number in range(count)
    ]


def seqs(arrived: list[Parcel]) -> list[int]:
    return [frame.seq for frame in FrameDecoder().feed(b"".join(each.data for each in arrived))]


def way(seed: int = 1, **wrong: float) -> Way:
    return Way(Impairments(**wrong), Random(seed))


def test_a_perfect_way_changes_nothing() -> None:
    sent, perfect = parcels(500), way()
    assert perfect.carry(sent) == sent
    assert (perfect.faults.sent, perfect.faults.lost, perfect.faults.corrupted) == (500, 0, 0)


@pytest.mark.parametrize("share", [0.01, 0.1, 1.0])
def test_loss_takes_its_share_and_counts_it(share: float) -> None:
    lossy = way(loss=share)
    arrived = lossy.carry(parcels(10_000))
    assert len(arrived) == 10_000 - lossy.faults.lost
    assert lossy.faults.lost / 10_000 == pytest.approx(share, rel=0.25)
    assert seqs(arrived) == sorted(seqs(arrived))


def test_a_burst_takes_everything_for_its_time_and_no_more() -> None:
    bursty = way(burst_s=0.2, burst_every_s=2.0)
    arrived = bursty.carry(parcels(20_000))
    gaps = [after - before - 1 for before, after in pairwise(seqs(arrived)) if after - before > 1]
    assert set(gaps) <= {12, 13, 25, 26}, "a burst of 200 ms takes 12 or 13 frames of 16 ms; two may meet"
    assert sum(gaps) == bursty.faults.lost_in_bursts
    assert len(gaps) == pytest.approx(20_000 * INTERVAL_S / 2.2, rel=0.25)
    assert bursty.faults.lost == 0


def test_corruption_changes_drops_and_adds_its_share_of_bytes() -> None:
    sent = parcels(5_000)
    size = sum(len(each.data) for each in sent)
    noisy = way(corrupt=1e-3)
    arrived = noisy.carry(sent)
    changed = [(before.data, after.data) for before, after in zip(sent, arrived, strict=True) if before != after]
    assert noisy.faults.corrupted == len(changed)
    assert len(changed) == pytest.approx(size * 1e-3, rel=0.2)
    lengths = {len(after) - len(before) for before, after in changed}
    assert {-1, 0, 1} <= lengths


def test_no_damaged_frame_is_taken_and_every_whole_one_is() -> None:
    sent = parcels(5_000)
    arrived = way(corrupt=1e-3).carry(sent)
    whole = {number for number, (one, other) in enumerate(zip(sent, arrived, strict=True)) if one.data == other.data}
    taken = set(seqs(arrived))
    assert taken <= whole, "CRC-16 lets one of 65536 damaged frames pass; here some 150 are damaged"
    # A delimiter that is changed takes the whole frame behind it along.
    assert len(whole - taken) < 0.1 * (5_000 - len(whole))


def test_duplicates_come_right_after_the_first() -> None:
    doubling = way(duplicate=0.1)
    found = seqs(doubling.carry(parcels(2_000)))
    assert sorted(set(found)) == list(range(2_000))
    assert found == sorted(found)
    assert len(found) - 2_000 == doubling.faults.duplicated
    assert doubling.faults.duplicated == pytest.approx(200, rel=0.25)


def test_an_overtaken_frame_comes_one_place_later_and_none_is_kept_for_ever() -> None:
    shuffling, sent = way(reorder=0.2), parcels(2_000)
    arrived = [each for parcel in sent for each in shuffling.carry([parcel])] + shuffling.finish(99.0)
    found = seqs(arrived)
    assert sorted(found) == list(range(2_000))
    assert all(abs(place - seq) <= 1 for place, seq in enumerate(found))
    swapped = sum(after < before for before, after in pairwise(found))
    assert swapped in (shuffling.faults.reordered, shuffling.faults.reordered - 1)
    assert shuffling.finish(99.0) == []


def test_jitter_delays_by_at_most_its_bound_and_keeps_the_order_of_a_stream() -> None:
    sent = parcels(2_000)
    arrived = way(jitter_s=0.05).carry(sent)
    delays_s = [late.time_s - prompt.time_s for prompt, late in zip(sent, arrived, strict=True)]
    assert all(0 <= delay_s <= 0.05 for delay_s in delays_s)
    assert max(delays_s) > 0.045
    assert [each.time_s for each in arrived] == sorted(each.time_s for each in arrived)
    assert seqs(arrived) == list(range(2_000))


ALL_WRONG = {
    "loss": 0.02, "burst_s": 0.04, "corrupt": 1e-3, "duplicate": 0.02, "reorder": 0.02, "jitter_s": 0.008,
}  # fmt: skip


def test_the_same_seed_makes_the_same_faults() -> None:
    def faulty(seed: int) -> tuple[list[Parcel], object]:
        faulted = way(seed, **ALL_WRONG)
        return faulted.carry(parcels(1_000)), faulted.faults

    assert faulty(7) == faulty(7)
    assert faulty(7) != faulty(8)


@given(st.integers(0, 1 << 16), st.lists(st.integers(1, 40), min_size=1, max_size=30))
def test_however_frames_are_handed_over_each_is_sent_and_accounted_for(seed: int, cuts: list[int]) -> None:
    faulted, sent = way(seed, **{**ALL_WRONG, "corrupt": 0.0}), parcels(sum(cuts))
    arrived, at = [], 0
    for count in cuts:
        arrived += faulted.carry(sent[at : at + count])
        at += count
    arrived += faulted.finish(99.0)
    faults = faulted.faults
    assert faults.sent == len(sent)
    assert len(arrived) == faults.sent - faults.lost - faults.lost_in_bursts + faults.duplicated


def test_a_frame_that_is_cut_short_never_ends() -> None:
    whole, random = parcels(1)[0].data, Random(3)
    cut = [cut_short(whole, random) for _ in range(200)]
    assert all(whole.startswith(each) and 0 < len(each) < len(whole) for each in cut)
    assert not any(each.endswith(b"\0") for each in cut)
