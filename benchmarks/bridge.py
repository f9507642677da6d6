"""The link to a microcontroller: how fast it decodes, what damage and loss cost, what it adds to the latency.

`python -m benchmarks.bridge` prints it alone; `benchmarks.run` has it as one table.
"""

import argparse
import os
import random
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.bridge_over_tcp import FRAME_S, delays_over_tcp_s
from benchmarks.bridged_gaps import bridge_rows
from benchmarks.machine import describe_machine
from benchmarks.report import Table, markdown_from_tables
from benchmarks.resident_memory import resident_mb
from benchmarks.simulated_sound import breathing
from edge.audio.bridge import BridgeSource
from edge.audio.pacing import Pace
from edge.audio.recording import read_recording
from edge.bundle import Bundle, find_bundle, load_bundle
from edge.engine.engine import open_engine
from edge.pipeline import Classifier, Pipeline
from edge.profiles import load_profile
from edge.results import Result
from firmware_bridge.codecs import payload_from_samples
from firmware_bridge.errors import CaptureEnded
from firmware_bridge.frame import Frame, FrameDecoder, encode_frame
from firmware_bridge.link import Link
from firmware_bridge.messages import Codec, Info, MessageType, frame_from_message
from firmware_bridge.timeline import Chunk, Sound, Timeline

Float32 = NDArray[np.float32]

DEVICE = "littmann3200"
RATE_HZ = 4000
RECORDINGS = Path(__file__).resolve().parents[2] / "shared" / "data" / "icbhi" / "audio_and_txt_files"
HOP_S = 1.0
LOST_SHARE, MUCH_LOST_SHARE, LIMIT = 0.01, 0.03, 0.02
SEEDS = (1, 2, 3)
COLUMNS = ("what", "measured", "to reach")
NOTE = """\
Decoding: frame, session, codec and timeline, a read for each frame, on one core (processor time). Damage: each frame
loses, gains, repeats or changes one to eight bytes at random places, an unhurt one follows it; a CRC of 16 bits lets
one of 65536 damaged bodies pass that reach it. Latency: frames from the one that brings a sample to the one with which
it comes out; over TCP on this machine {tcp_s:.0f} s of frames of 10 ms, in real time. Loss: {recordings}, a window
every {hop:g} s, frames dropped at random, {seeds} times over; windows are compared that neither run refused.
Bridges: across a hundred gaps of each recording, at random places."""


@dataclass(frozen=True)
class BridgeEffort:
    """How much is sent."""

    sound_s: float
    damaged_frames: int
    frames_over_tcp: int
    recordings: int


@dataclass(frozen=True)
class Way:
    """How a device writes its frames."""

    name: str
    frame_samples: int
    codec: Codec = Codec.PCM16


WAYS = (
    Way("PCM16, 128 samples a frame", 128),
    Way("PCM16, 40 samples a frame", 40),
    Way("IMA ADPCM, 128 samples a frame", 128, Codec.IMA_ADPCM),
)


def measure_bridge(bundle: Bundle, effort: BridgeEffort) -> Table:
    """A row for each figure."""
    recordings, what = _recordings(effort)
    rows = [
        *([f"decoding 4 kHz {way.name}, times real time", *_speed(way, effort.sound_s)] for way in WAYS),
        *_damage_rows(effort.damaged_frames),
        *_latency_rows(),
        _tcp_row(effort.frames_over_tcp),
        *bridge_rows(recordings, RATE_HZ),
    ]
    with open_engine(bundle) as engine:
        classifier = Classifier(load_profile(DEVICE), bundle, engine)
        rows += [row for samples in (40, 128) for row in _label_rows(classifier, recordings, samples)]
        rows.append(_refusal_row(classifier, recordings, 40))
    note = NOTE.format(recordings=what, hop=HOP_S, seeds=len(SEEDS), tcp_s=effort.frames_over_tcp * FRAME_S)
    return Table("Link to a microcontroller", COLUMNS, rows, note)


class Played:
    """A device's frames, one a read, and the clock that they arrive by."""

    name = "played:"

    def __init__(self, wires: Sequence[bytes], frame_s: float) -> None:
        self.now_s = 0.0
        self._wires = iter(wires)
        self._frame_s = frame_s

    def pace(self) -> Pace:
        """The clock of the frames."""
        return Pace(lambda: self.now_s, self._sleep)

    def read(self, timeout_s: float) -> bytes:
        """The next frame. Raises CaptureEnded after the last."""
        del timeout_s
        self._sleep(self._frame_s)
        wire = next(self._wires, None)
        if wire is None:
            raise CaptureEnded("played to its end")
        return wire

    def write(self, data: bytes) -> None:
        """What the host says is not heard."""

    def close(self) -> None:
        """Nothing is held."""

    def _sleep(self, duration_s: float) -> None:
        self.now_s += duration_s


def wires_from_sound(sound: Float32, way: Way, keeps: Callable[[int], bool] = lambda _: True) -> Iterator[bytes]:
    """INFO, then float32 [n] as AUDIO, those frames that `keeps` keeps."""
    info = Info(boot_id=1, rate_numerator_hz=RATE_HZ, codecs=bytes([way.codec]))
    yield encode_frame(frame_from_message(info))
    for number, start in enumerate(range(0, sound.size, way.frame_samples)):
        samples = sound[start : start + way.frame_samples, np.newaxis]
        payload = payload_from_samples(way.codec, samples)
        frame = Frame(MessageType.AUDIO, number % 65536, start, 0, way.codec, 0, len(samples), payload)
        if keeps(number):
            yield encode_frame(frame)


def _speed(way: Way, sound_s: float) -> tuple[str, str]:
    sound = breathing(sound_s, RATE_HZ)
    played = Played(list(wires_from_sound(sound, way)), way.frame_samples / RATE_HZ)
    link = Link(played.name, lambda: played, lambda: played.now_s)
    begin_s = time.process_time()
    link.open()
    heard = _samples_to_the_end(link)
    taken_s = time.process_time() - begin_s
    if heard != sound.size:
        raise RuntimeError(f"{heard} of {sound.size} samples came out")
    return f"{sound_s / taken_s:.0f}", "200" if way is WAYS[0] else ""


def _samples_to_the_end(link: Link) -> int:
    heard = 0
    try:
        while True:
            heard += sum(len(each.samples) for each in link.read(0.2) if isinstance(each, Chunk))
    except CaptureEnded:
        return heard


def _damage_rows(count: int) -> list[list[str]]:
    chance = random.Random(SEEDS[0])
    decoder, unhurt_heard, false, decoding_s = FrameDecoder(), 0, 0, 0.0
    begin_mb = resident_mb()
    for number in range(count):
        payload = chance.randbytes(chance.choice((0, 8, 80, 256)))
        hurt = Frame(MessageType.AUDIO, number % 65536, number, number, 1, 0, len(payload) // 2, payload)
        unhurt = Frame(MessageType.STATUS, number % 65536)
        wires = damaged(encode_frame(hurt)[:-1], chance) + b"\0", encode_frame(unhurt)
        before_s = time.process_time()
        heard = [frame for wire in wires for frame in decoder.feed(wire)]
        decoding_s += time.process_time() - before_s
        unhurt_heard += unhurt in heard
        false += sum(frame not in (hurt, unhurt) for frame in heard)
        if number == count // 100:
            begin_mb = resident_mb()
    counters = decoder.counters
    bodies = counters.crc_errors + counters.frames - unhurt_heard
    return [
        [f"damaged frames of {count} taken for others", str(false), f"{bodies / 65536:.1f} expected"],
        ["unhurt frames heard right behind a damaged one", f"{unhurt_heard / count:.2%}", "100.00%"],
        ["growth of this process meanwhile, after a hundredth of them, MB", f"{resident_mb() - begin_mb:+.2f}", "flat"],
        ["frames a second while damaged", f"{2 * count / decoding_s:.0f}", ""],
    ]


def damaged(wire: bytes, chance: random.Random) -> bytes:
    """Some bytes of a frame, without its delimiter, changed, dropped, repeated or added; never the same again."""
    hurt = bytearray(wire)
    for _ in range(chance.randint(1, 8)):
        at, act = chance.randrange(len(hurt)), chance.randrange(4)
        if act == 0:
            hurt[at] = chance.randrange(256)
        elif act == 1 and len(hurt) > 1:
            del hurt[at]
        else:
            hurt.insert(at, hurt[at] if act == 2 else chance.randrange(256))
    return bytes(hurt) if hurt != wire else damaged(wire, chance)


def _latency_rows() -> list[list[str]]:
    """In frames, from the one that brings a sample to the one with which it comes out."""
    rng = np.random.default_rng(SEEDS[0])
    order = [number for number in range(10_000) if rng.random() >= LOST_SHARE]
    for place in np.flatnonzero(rng.random(len(order) - 1) < LOST_SHARE):
        order[place], order[place + 1] = order[place + 1], order[place]
    return [
        [f"latency added, blocks, {name}", str(_most_blocks_late(order, reorder)), "1"]
        for name, reorder in (("1 % lost and 1 % overtaken, where none can be put back", 0), ("put back", 1))
    ]


def _tcp_row(frames: int) -> list[str]:
    delays_ms = delays_over_tcp_s(frames) * 1000
    measured = f"{np.median(delays_ms):.1f}, {np.percentile(delays_ms, 99):.1f}, {delays_ms.max():.1f}"
    return ["from write to pipeline over TCP, ms: median, p99, most", measured, "10, a frame"]


def _most_blocks_late(order: Sequence[int], reorder_frames: int) -> int:
    timeline, came, late = Timeline(RATE_HZ, reorder_frames), {}, 0
    for turn, number in enumerate(order):
        came[number] = turn
        sound = Sound(number * 40, number % 65536, np.zeros((40, 1), np.float32))
        for chunk in timeline.place(sound, number * 0.01):
            late = max(late, turn - came[chunk.end_sample // 40 - 1])
    return late


def _recordings(effort: BridgeEffort) -> tuple[list[Float32], str]:
    """4 kHz recordings of a Littmann 3200, else simulated ones."""
    paths = sorted(RECORDINGS.glob("*_Litt3200.flac"))[: effort.recordings]
    if not paths:
        return [breathing(30.0, RATE_HZ)] * effort.recordings, f"{effort.recordings} simulated recordings"
    recordings = [read_recording(path) for path in paths]
    sounds = [recording.samples for recording in recordings if recording.sample_rate_hz == RATE_HZ]
    return sounds, f"{len(sounds)} recordings of ICBHI's Littmann 3200"


def _label_rows(classifier: Classifier, recordings: Sequence[Float32], frame_samples: int) -> list[list[str]]:
    fates = _fates(classifier, recordings, frame_samples, LOST_SHARE, SEEDS)
    fit = [fate for fate in fates if fate.whole.quality.ok]
    compared = [fate for fate in fit if fate.holey.quality.ok]
    alike = sum(fate.whole.label == fate.holey.label for fate in compared)
    what = f"{LOST_SHARE * 100:g} % of frames of {frame_samples} samples lost: windows"
    return [
        [f"{what} with the same label", _share_of(alike, compared), "98%"],
        [f"{what} still fit to be labelled", _share_of(len(compared), fit), ""],
    ]


def _refusal_row(classifier: Classifier, recordings: Sequence[Float32], frame_samples: int) -> list[str]:
    fates = _fates(classifier, recordings, frame_samples, MUCH_LOST_SHARE, SEEDS[:1])
    missing_much = [fate for fate in fates if fate.missing_share > LIMIT]
    refused = sum(not fate.holey.quality.ok for fate in missing_much)
    what = f"{MUCH_LOST_SHARE * 100:g} % of frames of {frame_samples} samples lost: windows"
    return [f"{what} with more than {LIMIT * 100:g} % missing, refused", f"{refused} of {len(missing_much)}", "all"]


@dataclass(frozen=True)
class Fate:
    """What became of one window."""

    whole: Result
    """Without losses."""
    holey: Result
    missing_share: float


def _fates(
    classifier: Classifier, recordings: Sequence[Float32], frame_samples: int, share: float, seeds: Sequence[int]
) -> list[Fate]:
    way, fates = Way("", frame_samples), []
    for number, sound in enumerate(recordings):
        frames = sound.size // frame_samples + 1
        whole = _results(classifier, sound, way, np.zeros(frames, np.bool_))
        for seed in seeds:
            lost = np.random.default_rng((seed, number)).random(frames) < share
            lost[0] = False
            holey = _results(classifier, sound, way, lost)
            fates += [
                Fate(one, other, _missing_share(lost, frame_samples, other))
                for one, other in zip(whole, holey, strict=False)
            ]
    return fates


def _share_of(count: int, of: Sequence[Fate]) -> str:
    return f"{count / len(of):.1%} of {len(of)}" if of else "none"


def _missing_share(lost: NDArray[np.bool_], frame_samples: int, result: Result) -> float:
    samples = np.repeat(lost, frame_samples)
    return float(samples[round(result.start_s * RATE_HZ) : round(result.end_s * RATE_HZ)].mean())


def _results(classifier: Classifier, sound: Float32, way: Way, lost: NDArray[np.bool_]) -> list[Result]:
    played = Played(list(wires_from_sound(sound, way, lambda n: not lost[n])), way.frame_samples / RATE_HZ)
    with BridgeSource(played.name, lambda: played, pace=played.pace()) as source:
        pipeline = Pipeline(classifier, source.name, source.sample_rate_hz, HOP_S)
        return [result for block in source.blocks() for result in pipeline.push(block)]


def main(argv: Sequence[str] | None = None) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="benchmarks.bridge", description="Measure the link to a microcontroller.")
    parser.add_argument("--sound", type=float, default=600.0, metavar="SECONDS", help="to decode; default: 600")
    parser.add_argument("--damaged", type=int, default=1_000_000, metavar="N", help="frames; default: a million")
    parser.add_argument("--over-tcp", type=int, default=6000, metavar="N", help="frames, 100 a second; default: 6000")
    parser.add_argument("--recordings", type=int, default=60, metavar="N", help="of ICBHI, at most; default: 60")
    arguments = parser.parse_args(argv)
    bundle = load_bundle(find_bundle(load_profile(DEVICE), None, os.environ))
    effort = BridgeEffort(arguments.sound, arguments.damaged, arguments.over_tcp, arguments.recordings)
    sys.stdout.write(markdown_from_tables([describe_machine(), measure_bridge(bundle, effort)]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
