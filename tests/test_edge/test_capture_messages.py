"""What one process says arrives whole in the other, however the pipe cuts it; what does not fit is counted."""

from __future__ import annotations

import pytest

from edge.audio.capture_clock import Loss
from edge.audio.capture_messages import Failed, Listed, Message, MessageReader, Opened, Sound, bytes_from_message
from edge.audio.capture_queue import CaptureQueue
from edge.audio.loss_report import LossReport

hypothesis = pytest.importorskip("hypothesis")
from hypothesis import given  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

RATE_HZ = 8000

messages = st.one_of(
    st.builds(Opened, st.text(), st.text(), st.integers(4000, 48000), st.integers(1, 2)),
    st.builds(
        Sound,
        frames=st.integers(0, 10000),
        arrived_s=st.floats(0, 1e9),
        adc_s=st.floats(0, 1e10),
        overflowed=st.booleans(),
        dropped_frames=st.integers(0, 1 << 40),
        data=st.binary(),
    ),
    st.builds(Failed, st.text()),
    st.builds(Listed, st.lists(st.fixed_dictionaries({"name": st.text(), "index": st.integers()}))),
)


@given(said=st.lists(messages), portion=st.integers(1, 200))
def test_messages_arrive_as_they_were_said(said: list[Message], portion: int) -> None:
    sent = b"".join(map(bytes_from_message, said))
    reader, heard = MessageReader(), []
    for start in range(0, len(sent), portion):
        reader.feed(sent[start : start + portion])
        while (message := reader.next()) is not None:
            heard.append(message)
    assert heard == said


def sound(number: int) -> Sound:
    return Sound(frames=10, arrived_s=float(number), adc_s=0.0)


def test_a_full_queue_drops_the_newest_sound_and_says_so_before_the_next() -> None:
    captured = CaptureQueue(max_blocks=2)
    for number in range(4):
        captured.put(sound(number))
    first = captured.get()
    captured.put(sound(4))
    heard = [first, captured.get(), captured.get()]
    assert [(entry.arrived_s, entry.dropped_frames) for entry in heard if entry] == [(0.0, 0), (1.0, 0), (4.0, 20)]
    captured.end()
    assert captured.get() is None


@given(st.lists(st.booleans(), max_size=200))
def test_what_is_got_and_what_is_dropped_is_all_that_was_put(puts: list[bool]) -> None:
    captured, frames, waiting = CaptureQueue(max_blocks=3), 0, 0
    for number, put in enumerate([*puts, False, False, False, True]):
        if put:
            captured.put(sound(number))
            waiting = min(waiting + 1, 3)
        elif waiting:
            got = captured.get()
            assert got is not None
            frames, waiting = frames + got.frames + got.dropped_frames, waiting - 1
    last = captured.get()
    assert last is not None
    assert frames + last.frames + last.dropped_frames == 10 * (puts.count(True) + 1)


def test_the_first_loss_is_told_at_once_and_the_next_ones_as_a_sum_after_a_minute() -> None:
    report = LossReport("mic:a", RATE_HZ)
    told = []
    for second in range(130):
        report.add(Loss(RATE_HZ // 10, "overflow"), second * RATE_HZ)
        told += report.due((second + 1) * RATE_HZ)
    assert [(event.start_s, event.end_s, event.fields["lost_s"], event.fields["times"]) for event in told] == [
        (0.0, 0.1, 0.1, 1),
        (1.0, 60.1, 6.0, 60),
        (61.0, 120.1, 6.0, 60),
    ]
    (rest,) = report.due(130 * RATE_HZ, everything=True)
    assert rest.fields == {"cause": "overflow", "lost_s": 0.9, "times": 9}


def test_each_cause_is_told_by_itself() -> None:
    report = LossReport("mic:a", RATE_HZ)
    report.add(Loss(80, "overflow"), 0)
    report.add(Loss(800, "queue-full"), 80)
    assert [event.fields["cause"] for event in report.due(880)] == ["overflow", "queue-full"]
    assert report.due(880 + 70 * RATE_HZ) == []
