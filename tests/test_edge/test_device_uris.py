"""URIs of devices as sources of sound: each gives the one that goes on over restarts."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from edge.audio import bridge
from edge.audio.block import AudioBlock
from edge.audio.bridge import BridgeSource
from edge.audio.live_source import Persistence
from edge.audio.source import StoppedWaiting, open_source
from edge.errors import AudioDeviceError, UsageError
from firmware_bridge.capture import CaptureWriter, Direction
from firmware_bridge.codecs import payload_from_samples
from firmware_bridge.frame import Frame, encode_frame
from firmware_bridge.messages import Codec, Info, MessageType, frame_from_message

RATE_HZ, FRAME, FRAMES = 4000, 80, 500
SOUND = (np.arange(FRAME * FRAMES) % 3000 / 32768).astype(np.float32)


def add_sound(writer: CaptureWriter, begin_s: float, boot_id: int, frames: int) -> None:
    """A device that says what it is and plays."""
    writer.add_opening(begin_s)
    writer.add(begin_s + 0.01, Direction.FROM_DEVICE, encode_frame(frame_from_message(Info(boot_id, RATE_HZ))))
    for number in range(frames):
        payload = payload_from_samples(Codec.PCM16, SOUND[number * FRAME :][:FRAME, np.newaxis])
        frame = Frame(MessageType.AUDIO, number + 1, number * FRAME, 0, Codec.PCM16, 0, FRAME, payload)
        writer.add(begin_s + 0.05 + (number + 1) * FRAME / RATE_HZ, Direction.FROM_DEVICE, encode_frame(frame))


@pytest.fixture
def port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@pytest.fixture
def terminal() -> Iterator[str]:
    device, port = os.openpty()
    yield os.ttyname(port)
    os.close(port)
    os.close(device)


@pytest.fixture
def capture(tmp_path: Path) -> Path:
    """Ten seconds of a device."""
    path = tmp_path / "a.rbcap"
    with path.open("wb") as stream:
        add_sound(CaptureWriter(stream), 0.0, 1, FRAMES)
    return path


def opened(uri: str, **options: bool) -> BridgeSource:
    source = open_source(uri, realtime=options.get("realtime", True))
    assert isinstance(source, BridgeSource)
    return source


def waits_for(uri: str) -> bool:
    """Whether opening it waits for a device, until it is told to stop."""
    turns: list[AudioBlock] = []

    def turn(block: AudioBlock) -> bool:
        turns.append(block)
        return len(turns) > 1

    with pytest.raises(StoppedWaiting):
        open_source(uri, realtime=True, persistence=Persistence(turn=turn))
    return len(turns) > 1


def test_every_way_to_a_device_is_waited_on(port: int) -> None:
    assert waits_for(f"tcp://:{port}")
    assert waits_for(f"udp://:{port}")
    assert waits_for(f"udp://:{port}?raw=s16le&rate=16000")


def test_a_serial_port_is_waited_on(terminal: str) -> None:
    pytest.importorskip("serial")
    assert waits_for(f"serial://{terminal}?baud=921600")


@pytest.mark.parametrize("settings", ["?speed=max", ""])
def test_a_capture_gives_the_sound_that_was_recorded(capture: Path, settings: str) -> None:
    with opened(f"{capture}{settings}", realtime=False) as source:
        assert source.sample_rate_hz == RATE_HZ
        blocks = list(source.blocks())
    assert sum(block.lost_samples for block in blocks) == 0
    assert np.array_equal(np.concatenate([block.samples for block in blocks]), SOUND)


def test_a_capture_of_a_device_that_came_back_is_one_stream_with_a_gap(tmp_path: Path) -> None:
    path = tmp_path / "a.rbcap"
    with path.open("wb") as stream:
        writer = CaptureWriter(stream)
        add_sound(writer, 0.0, 1, 100)
        add_sound(writer, 6.0, 2, 100)
    with opened(str(path), realtime=False) as source:
        blocks = list(source.blocks())
    assert np.array_equal(np.concatenate([block.samples for block in blocks]), [*SOUND[:8000], *SOUND[:8000]])
    assert sum(block.lost_samples for block in blocks) == pytest.approx(4 * RATE_HZ, abs=0.1 * RATE_HZ)
    names = [event.name for block in blocks for event in block.events]
    assert names.count("source-lost") == names.count("source-resumed") == names.count("device-restarted") == 1


def test_a_capture_that_ends_while_the_device_is_away_ends(tmp_path: Path) -> None:
    path = tmp_path / "a.rbcap"
    with path.open("wb") as stream:
        writer = CaptureWriter(stream)
        add_sound(writer, 0.0, 1, 100)
        writer.add_opening(6.0)
    with opened(str(path), realtime=False) as source:
        blocks = list(source.blocks())
    assert np.array_equal(np.concatenate([block.samples for block in blocks]), SOUND[:8000])


@pytest.mark.parametrize("realtime", [True, False])
def test_a_capture_without_sound_is_one_clear_line(tmp_path: Path, realtime: bool) -> None:
    path = tmp_path / "a.rbcap"
    with path.open("wb") as stream:
        CaptureWriter(stream).add(0.0, Direction.FROM_DEVICE, b"boot")
    with pytest.raises(AudioDeviceError, match=r"a\.rbcap: the capture holds no sound"):
        open_source(str(path), realtime=realtime)


def test_frames_may_overtake_each_other_as_datagrams_only(monkeypatch: pytest.MonkeyPatch, port: int) -> None:
    heard: dict[str, int] = {}

    class Opened(Exception):
        pass

    def note(uri: str, open_transport: object, *, reorder_frames: int, **_: object) -> None:
        heard[uri.partition(":")[0]] = reorder_frames
        raise Opened

    monkeypatch.setattr(bridge, "BridgeSource", note)
    for scheme in ("tcp", "udp"):
        with pytest.raises(Opened):
            open_source(f"{scheme}://:{port}", realtime=True)
    assert heard["tcp"] == 0
    assert heard["udp"] > 0


def test_a_uri_that_cannot_be_is_a_fault_of_the_command_line() -> None:
    with pytest.raises(UsageError, match="source tcp://:0: give tcp://:PORT"):
        open_source("tcp://:0", realtime=True)


def test_a_port_that_is_not_there_is_one_clear_line() -> None:
    pytest.importorskip("serial")
    with pytest.raises(AudioDeviceError, match=r"serial:///dev/ttyNone: cannot open the port .*; plug the device in"):
        open_source("serial:///dev/ttyNone", realtime=True)


def test_a_capture_that_is_not_there_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(AudioDeviceError, match=r"none\.rbcap: cannot be read"):
        open_source(str(tmp_path / "none.rbcap"), realtime=True)
