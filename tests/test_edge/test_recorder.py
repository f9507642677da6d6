"""What `--record` leaves behind: sound that plays whatever happens, notes beside it, and no more than was asked for."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import re
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edge.audio.block import AudioBlock
from edge.errors import OutputError
from edge.events import Event
from edge.quality import Quality
from edge.recorder import recorder, recording_folder
from edge.recorder.growing_wave import GrowingWave, int16_from_float32, is_being_written
from edge.recorder.recorded_file import RecordingSession
from edge.recorder.recorder import Recorder, Stream, open_recorder
from edge.recorder.recording_folder import RecordingClock, RecordingFolder
from edge.recorder.retention import NAME, Retention
from edge.results import Result

Breathing = Callable[..., NDArray[np.float32]]
RunCommand = Callable[..., Any]
StartCommand = Callable[..., "subprocess.Popen[str]"]
WriteSound = Callable[..., Path]

RATE_HZ = 4000
SESSION = RecordingSession("0123456789abcdef", "meditron", "tiny@1f0c", "onnxruntime-cpu-int8", RATE_HZ, False)
BEGUN = datetime(2026, 1, 14, 15, 30, 59, tzinfo=timezone.utc)
STEM = "respire-20260114T1530Z-0123456789abcdef"
ROOMY = Retention(min_free_bytes=1)


def result_until(end_s: float) -> Result:
    probabilities = {"normal": 0.7, "crackle": 0.1, "wheeze": 0.1, "both": 0.1}
    return Result(
        "mic:Ward 7 SN123", "meditron", end_s - 7, end_s, "normal", probabilities, Quality(()), "m", "e", latency_ms=1.0
    )


def sound(samples: int, seed: int = 0) -> NDArray[np.int16]:
    return np.random.default_rng(seed).integers(-3000, 3000, samples).astype(np.int16)


def folder_recording(folder: Path, retention: Retention = ROOMY, tick_s: float = 10.0) -> RecordingFolder:
    """A recording whose clock goes on by `tick_s` whenever it is looked at, so that nothing waits."""
    ticks = iter(np.arange(0, 1e6, tick_s).tolist())
    return RecordingFolder(folder, SESSION, retention, RecordingClock(lambda: next(ticks), lambda: BEGUN))


def read_wave(path: Path) -> NDArray[np.int16]:
    import soundfile

    samples, rate_hz = soundfile.read(path, dtype="int16")
    assert rate_hz == RATE_HZ
    return np.asarray(samples)


def sidecars(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))]


def test_a_growing_wave_plays_what_was_synced_and_no_more(tmp_path: Path) -> None:
    wave = GrowingWave(tmp_path / "a.wav", RATE_HZ)
    wave.append(sound(3000))
    assert read_wave(tmp_path / "a.wav").size == 0
    wave.sync()
    wave.append(sound(500, seed=1))
    np.testing.assert_array_equal(read_wave(tmp_path / "a.wav"), sound(3000))
    wave.close()
    np.testing.assert_array_equal(read_wave(tmp_path / "a.wav"), np.concatenate([sound(3000), sound(500, seed=1)]))


def test_a_growing_wave_is_private_locked_and_never_replaces_a_file(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    wave = GrowingWave(path, RATE_HZ)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert is_being_written(path)
    with pytest.raises(FileExistsError):
        GrowingWave(path, RATE_HZ)
    wave.close()
    assert not is_being_written(path)


def test_sixteen_bit_sound_comes_back_unchanged() -> None:
    every = np.arange(-32768, 32768).astype(np.int16)
    np.testing.assert_array_equal(int16_from_float32(every.astype(np.float32) / np.float32(32768)), every)
    np.testing.assert_array_equal(int16_from_float32(np.array([-1.5, 1.0], np.float32)), [-32768, 32767])


def test_sound_is_split_among_files_without_losing_a_sample(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recording_folder, "FILE_S", 1.0)
    recording = folder_recording(tmp_path)
    pieces = [sound(size, seed=size) for size in (1500, 9000, 1, 1499)]
    for piece in pieces:
        recording.add_sound(piece)
        recording.keep_up()
    recording.close()
    files = sorted(tmp_path.glob("*.wav"))
    assert [path.name for path in files] == [f"{STEM}-{number:04d}.wav" for number in (1, 2, 3)]
    np.testing.assert_array_equal(np.concatenate([read_wave(path) for path in files]), np.concatenate(pieces))
    assert [(note["start_s"], note["end_s"]) for note in sidecars(tmp_path)] == [(0, 1), (1, 2), (2, 3)]


def test_a_result_is_listed_in_the_file_in_which_it_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recording_folder, "FILE_S", 10.0)
    recording = folder_recording(tmp_path)
    for second in range(1, 21):  # as in `listen`: what a block completes comes before the block
        recording.add_result(result_until(float(second)))
        recording.add_sound(sound(RATE_HZ))
    recording.close()
    ends = [[result["end_s"] for result in note["results"]] for note in sidecars(tmp_path)]
    assert ends == [list(range(1, 11)), list(range(11, 21))]


def test_a_short_gap_is_silence_and_a_long_one_ends_the_file(tmp_path: Path) -> None:
    recording = folder_recording(tmp_path)
    recording.add_sound(sound(RATE_HZ))
    recording.add_gap(2 * RATE_HZ, "lost")
    recording.add_sound(sound(RATE_HZ, seed=1))
    recording.add_gap(3600 * RATE_HZ, "lost")
    recording.add_sound(sound(RATE_HZ, seed=2))
    recording.close()
    first, second = sidecars(tmp_path)
    assert (first["start_s"], first["end_s"], first["gaps"]) == (0, 4, [{"start_s": 1, "end_s": 3, "reason": "lost"}])
    assert (second["start_s"], second["end_s"]) == (3604, 3605)
    assert second["gaps"] == [{"start_s": 4, "end_s": 3604, "reason": "lost"}]
    heard = read_wave(tmp_path / f"{STEM}-0001.wav")
    np.testing.assert_array_equal(heard, np.concatenate([sound(4000), np.zeros(8000), sound(4000, seed=1)]))


def test_a_sidecar_names_no_input_no_path_and_only_the_minute(tmp_path: Path) -> None:
    recording = folder_recording(tmp_path)
    recording.add_result(result_until(7.0))
    fields: dict[str, str | int] = {"error": "Ward 7 SN123 refuses", "attempt": 2, "cause": "gap"}
    recording.add_event(Event("source-lost", "mic:Ward 7 SN123", 1.0, 1.0, fields))
    recording.add_sound(sound(RATE_HZ))
    recording.close()
    (path,) = tmp_path.glob("*.json")
    assert "Ward" not in path.read_text()
    (note,) = sidecars(tmp_path)
    assert (note["session"], note["number"], note["complete"]) == ("0123456789abcdef", 1, True)
    assert (note["begun_utc"], note["device"], note["simulated"]) == ("2026-01-14T15:30Z", "meditron", False)
    assert note["events"] == [{"event": "source-lost", "start_s": 1, "end_s": 1, "attempt": 2, "cause": "gap"}]
    assert note["results"][0]["label"] == "normal"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_the_sidecar_is_there_before_the_file_is_finished(tmp_path: Path) -> None:
    recording = folder_recording(tmp_path)
    recording.add_sound(sound(RATE_HZ))
    recording.keep_up()
    assert [(note["complete"], note["end_s"]) for note in sidecars(tmp_path)] == [(False, 1)]
    recording.close()


def test_a_source_that_fails_for_days_does_not_fill_the_memory(tmp_path: Path) -> None:
    recording = folder_recording(tmp_path)
    recording.add_sound(sound(10))
    for attempt in range(recording_folder.MAX_EVENTS + 10):
        recording.add_event(Event("source-retry", "mic", 0.0, 0.0, {"attempt": attempt}))
    recording.close()
    assert len(sidecars(tmp_path)[0]["events"]) == recording_folder.MAX_EVENTS


def test_all_files_of_a_long_run_stay_below_the_size_limit(tmp_path: Path) -> None:
    limit_bytes = 200_000
    recording = folder_recording(tmp_path, Retention(max_bytes=limit_bytes, min_free_bytes=1))
    sizes = []
    for second in range(80):  # 640 kB in all
        recording.add_result(result_until(float(second + 1)))
        recording.add_sound(sound(RATE_HZ, seed=second))
        recording.keep_up()
        sizes.append(sum(path.stat().st_size for path in tmp_path.iterdir()))
    recording.close()
    assert max(sizes) <= limit_bytes
    assert sizes[-1] > limit_bytes / 2
    kept = np.concatenate([read_wave(path) for path in sorted(tmp_path.glob("*.wav"))])
    heard = np.concatenate([sound(RATE_HZ, seed=second) for second in range(80)])
    np.testing.assert_array_equal(kept, heard[-kept.size :])


def recorder_in(folder: Path, told: list[Event], retention: Retention = ROOMY, *, live: bool = True) -> Recorder:
    return open_recorder(folder, retention, SESSION, Stream("mic:x", RATE_HZ, live), told.append)


def block(samples: int, lost_samples: int = 0) -> AudioBlock:
    return AudioBlock(sound(samples).astype(np.float32) / np.float32(32768), lost_samples)


def test_what_is_heard_is_on_the_disk_when_the_recorder_ends(tmp_path: Path) -> None:
    told: list[Event] = []
    with recorder_in(tmp_path / "kept", told) as recording:
        recording.take_block(block(1000))
        recording.take_block(block(1000, lost_samples=500))
        recording.take_block(AudioBlock(np.zeros(0, np.float32)))
        recording.take_result(result_until(0.6))
        recording.take_event(Event("source-lost", "mic:x", 0.6, 0.6))
    (path,) = (tmp_path / "kept").glob("*.wav")
    expected = np.concatenate([sound(1000), np.zeros(500, np.int16), sound(1000)])
    np.testing.assert_array_equal(read_wave(path), expected)
    assert [(event.name, event.fields) for event in told] == [("recording-started", {"file": path.name})]
    (note,) = sidecars(tmp_path / "kept")
    assert (len(note["results"]), len(note["events"])) == (1, 1)
    assert stat.S_IMODE((tmp_path / "kept").stat().st_mode) == 0o700


def test_too_little_free_space_stops_recording_and_not_listening(tmp_path: Path) -> None:
    told: list[Event] = []
    with recorder_in(tmp_path, told, Retention(min_free_bytes=10**18), live=False) as recording:
        for _ in range(100):
            recording.take_block(block(100))
            recording.take_result(result_until(1.0))
    assert [event.name for event in told] == ["recording-stopped"]
    assert re.fullmatch(r"[\d.]+ GB free, 1e\+09 GB are to stay free", str(told[0].fields["reason"]))
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_disappears_stops_recording_and_not_listening(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recording_folder, "FILE_S", 0.1)
    told: list[Event] = []
    folder = tmp_path / "stick"
    with recorder_in(folder, told, live=False) as recording:
        recording.take_block(block(100))
        while not any(event.name == "recording-started" for event in told):
            time.sleep(0.01)
            recording.take_block(block(0))
        folder.rename(tmp_path / "gone")
        for _ in range(20):
            recording.take_block(block(400))
    assert [event.name for event in told][-1] == "recording-stopped"
    assert told[-1].fields["reason"] == "No such file or directory"
    (path, *_) = (tmp_path / "gone").glob("*.wav")
    assert read_wave(path).size >= 100


class JammedFolder(RecordingFolder):
    """A disk that takes nothing until it is let go."""

    released = threading.Event()

    def prune(self) -> None:
        assert self.released.wait(60)


def test_a_disk_that_is_too_slow_costs_recorded_sound_and_never_waits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder, "LIVE_ITEMS", 4)
    JammedFolder.released.clear()
    told: list[Event] = []
    folder = JammedFolder(tmp_path, SESSION, ROOMY)
    with Recorder(folder, Stream("mic:x", RATE_HZ, live=True), told.append) as recording:
        for _ in range(10):
            recording.take_block(block(400))
        JammedFolder.released.set()
        while not list(tmp_path.glob("*.wav")):
            time.sleep(0.01)
        time.sleep(0.1)
        recording.take_block(block(400))
        recording.take_block(block(400))
    assert [event.name for event in told] == ["recording-started", "recording-gap"]
    assert (told[1].start_s, told[1].end_s, told[1].fields) == (0.4, 1.0, {"lost_s": 0.6})
    (note,) = sidecars(tmp_path)
    assert note["gaps"] == [{"start_s": 0.4, "end_s": 1.0, "reason": "not-recorded"}]
    assert note["end_s"] == 1.2


def test_a_disk_that_never_answers_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorder, "LIVE_ITEMS", 4)
    JammedFolder.released.clear()
    told: list[Event] = []
    with Recorder(
        JammedFolder(tmp_path, SESSION, ROOMY), Stream("mic:x", RATE_HZ, live=True), told.append
    ) as recording:
        for _ in range(70):
            recording.take_block(block(RATE_HZ))
    JammedFolder.released.set()
    assert [(event.name, event.fields) for event in told] == [
        ("recording-stopped", {"reason": "the disk takes nothing any more"})
    ]


@pytest.mark.parametrize("kind", ["file", "unmakeable"])
def test_a_folder_that_cannot_be_is_refused_in_one_line(
    run_command: RunCommand, write_sound: WriteSound, breathing: Breathing, tmp_path: Path, kind: str
) -> None:
    (tmp_path / "file").write_text("mine")
    folder = {"file": tmp_path / "file", "unmakeable": Path("/proc/none/here")}[kind]
    path = write_sound("a.wav", breathing(1))
    ran = run_command("listen", "--device", "meditron", "--source", path, "--no-realtime", "--record", folder)
    assert ran.code == 2
    assert ran.err.splitlines()[-1].startswith(f"respire-edge: {folder}: no folder for recordings (")
    assert (tmp_path / "file").read_text() == "mine"


def test_a_folder_that_cannot_be_written_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # root may write everywhere
    with pytest.raises(OutputError, match="check its permissions"):
        recorder_in(tmp_path, [])


def test_listening_records_what_scoring_finds_again(
    run_command: RunCommand, write_sound: WriteSound, breathing: Breathing, tmp_path: Path
) -> None:
    source = write_sound("Smith_John.wav", breathing(12), 8000)
    kept = tmp_path / "kept"
    common = ("--device", "meditron", "--hop", "1")
    listened = run_command("listen", "--source", source, "--no-realtime", "--record", kept, *common)
    scored = run_command("score", kept, *common)
    assert (listened.code, scored.code) == (0, 0)
    results = [line for line in listened.results if line["record"] == "result"]
    assert len(results) == 6
    assert [line["probabilities"] for line in results] == [
        line["probabilities"] for line in scored.results if line["record"] == "result"
    ]
    (note,) = sidecars(kept)
    assert [line["end_s"] for line in note["results"]] == [line["end_s"] for line in results]
    assert note["complete"]
    for path in kept.iterdir():
        assert NAME.fullmatch(path.name)
        assert b"Smith" not in path.read_bytes()


def test_nothing_is_kept_unless_it_is_asked_for(
    run_command: RunCommand,
    write_sound: WriteSound,
    breathing: Breathing,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    source = write_sound("a.wav", breathing(2))
    monkeypatch.chdir(tmp_path)
    run_command("listen", "--device", "meditron", "--source", source, "--no-realtime")
    assert list(tmp_path.iterdir()) == [source]


def test_a_killed_recording_plays_all_but_its_last_second(
    start_command: StartCommand, run_command: RunCommand, write_sound: WriteSound, breathing: Breathing, tmp_path: Path
) -> None:
    source = write_sound("long.wav", breathing(60, RATE_HZ), RATE_HZ)
    kept = tmp_path / "kept"
    process = start_command("listen", "--device", "meditron", "--source", source, "--record", kept)
    written_bytes = 0
    while written_bytes < 2.5 * RATE_HZ * 2:
        time.sleep(0.05)
        written_bytes = sum(path.stat().st_size for path in kept.glob("*.wav"))
        assert process.poll() is None
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=20)
    (path,) = kept.glob("*.wav")
    played = read_wave(path)
    on_disk_samples = (path.stat().st_size - 44) // 2
    assert on_disk_samples - 1.25 * RATE_HZ <= played.size <= on_disk_samples  # the last block may be late
    assert played.size >= RATE_HZ
    np.testing.assert_array_equal(played, read_wave(source)[: played.size])
    assert run_command("score", kept, "--device", "meditron").code == 0
    with path.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # whoever wrote it is gone, and so is the lock


def test_a_sidecar_that_cannot_be_written_leaves_the_one_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recording = folder_recording(tmp_path)
    recording.add_sound(sound(RATE_HZ))
    recording.keep_up()

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        recording.close()
    assert [(note["complete"], note["end_s"]) for note in sidecars(tmp_path)] == [(False, 1)]
    assert [path.suffix for path in sorted(tmp_path.iterdir())] == [".json", ".wav"]
    assert read_wave(next(tmp_path.glob("*.wav"))).size == RATE_HZ


LIMITED = "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000)); import edge.cli as c; "


def test_a_write_that_fails_stops_recording_and_not_listening(
    write_sound: WriteSound, breathing: Breathing, models_folder: Path, tmp_path: Path
) -> None:
    source, kept = write_sound("a.wav", breathing(20, RATE_HZ), RATE_HZ), tmp_path / "kept"
    arguments = ["listen", "--device", "meditron", "--source", source, "--no-realtime", "--record", kept]
    ran = subprocess.run(
        [sys.executable, "-c", f"{LIMITED} sys.exit(c.main())", *map(str, arguments)],
        env=os.environ | {"RESPIRE_EDGE_MODELS": str(models_folder)},
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    records = [json.loads(line) for line in ran.stdout.splitlines()]
    assert ran.returncode == 0
    assert sum(record["record"] == "result" for record in records) == 14
    (stopped,) = [record for record in records if record.get("event") == "recording-stopped"]
    assert stopped["reason"] == "File too large"
    (path,) = kept.glob("*.wav")
    assert 0 < read_wave(path).size <= 30_000


def test_recordings_too_old_are_gone_when_listening_begins(
    run_command: RunCommand, write_sound: WriteSound, breathing: Breathing, tmp_path: Path
) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    now = datetime.now(timezone.utc)
    names = {days: f"respire-{now - timedelta(days=days):%Y%m%dT%H%M}Z-0123456789abcdef-0001.wav" for days in (1, 3)}
    for name in names.values():
        (kept / name).write_bytes(b"RIFF")
    source = write_sound("a.wav", breathing(1))
    limits = ("--record-max-age", "2", "--record-min-free", "0.001")
    run_command("listen", "--device", "meditron", "--source", source, "--no-realtime", "--record", kept, *limits)
    assert (kept / names[1]).exists()
    assert not (kept / names[3]).exists()


def test_help_says_what_recording_means_for_privacy(run_command: RunCommand) -> None:
    text = " ".join(run_command("listen", "--help").out.split())
    assert "hears voices too: ask before you record" in text
