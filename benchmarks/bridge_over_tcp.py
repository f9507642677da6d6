"""How long a sample takes from a device's socket to the pipeline, through the whole of the host's side."""

from __future__ import annotations

import socket
import threading
import time

import numpy as np
from numpy.typing import NDArray

from edge.audio.bridge import BridgeSource
from edge.audio.pacing import SYSTEM_PACE
from firmware_bridge.frame import Frame, encode_frame
from firmware_bridge.messages import Codec, Info, MessageType, frame_from_message
from firmware_bridge.transports.sockets import LOOPBACK
from firmware_bridge.transports.tcp import TcpTransport

RATE_HZ, FRAME_SAMPLES = 4000, 40
FRAME_S = FRAME_SAMPLES / RATE_HZ
AHEAD_S = 0.2
"""From INFO to the first sound: opening is no part of the latency."""


def delays_over_tcp_s(frames: int) -> NDArray[np.float64]:
    """float64 [frames]: seconds from when a frame was written until the source gave its last sample.

    A frame each 10 ms, in real time, over a real connection on this machine.
    """
    transport = TcpTransport("tcp://:0", "", 0, time.monotonic)
    sent_s = np.zeros(frames)
    device = threading.Thread(target=_stream, args=(transport.port, sent_s))
    device.start()
    given_s = np.full(frames, np.nan)
    samples = 0
    try:
        with BridgeSource(transport.name, lambda: transport, pace=SYSTEM_PACE) as source:
            for block in source.blocks():
                if block.lost_samples:
                    raise RuntimeError(f"{block.lost_samples} samples were lost on a whole link")
                first, samples = samples // FRAME_SAMPLES, samples + len(block.samples)
                given_s[first : samples // FRAME_SAMPLES] = time.monotonic()
                if samples >= frames * FRAME_SAMPLES:
                    break
    finally:
        device.join()
    return given_s - sent_s


def _stream(port: int, sent_s: NDArray[np.float64]) -> None:
    """A device that writes down when it wrote each frame."""
    with socket.create_connection((LOOPBACK, port)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.sendall(encode_frame(frame_from_message(Info(boot_id=1, rate_numerator_hz=RATE_HZ))))
        begin_s = time.monotonic() + AHEAD_S
        for number in range(len(sent_s)):
            time.sleep(max(0.0, begin_s + number * FRAME_S - time.monotonic()))
            start, silence = number * FRAME_SAMPLES, bytes(2 * FRAME_SAMPLES)
            frame = Frame(MessageType.AUDIO, number % 65536, start, 0, Codec.PCM16, 0, FRAME_SAMPLES, silence)
            sent_s[number] = time.monotonic()
            connection.sendall(encode_frame(frame))
        time.sleep(AHEAD_S)
