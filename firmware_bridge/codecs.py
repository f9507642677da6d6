"""How the samples of an AUDIO frame are written (PROTOCOL.md, section 6); every frame stands alone.

µ-law is that of ITU-T G.711 (1988). The steps of IMA ADPCM are those of the IMA's "Recommended Practices for Enhancing
Digital Audio Compatibility in Multimedia Systems" (1992).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from firmware_bridge.messages import Codec

Float32 = NDArray[np.float32]
Int32 = NDArray[np.int32]

FULL_SCALE_16, FULL_SCALE_24 = 1 << 15, 1 << 23
ADPCM_HEADER_BYTES = 4
ADPCM_STEPS = (
    7, 8, 9, 10, 11, 12, 13, 14, 16, 17, 19, 21, 23, 25, 28, 31, 34, 37, 41, 45, 50, 55, 60, 66, 73, 80, 88, 97,
    107, 118, 130, 143, 157, 173, 190, 209, 230, 253, 279, 307, 337, 371, 408, 449, 494, 544, 598, 658, 724, 796,
    876, 963, 1060, 1166, 1282, 1411, 1552, 1707, 1878, 2066, 2272, 2499, 2749, 3024, 3327, 3660, 4026, 4428, 4871,
    5358, 5894, 6484, 7132, 7845, 8630, 9493, 10442, 11487, 12635, 13899, 15289, 16818, 18500, 20350, 22385, 24623,
    27086, 29794, 32767,
)  # fmt: skip
ADPCM_INDEX_CHANGES = (-1, -1, -1, -1, 2, 4, 6, 8)


def samples_from_payload(codec: int, payload: bytes, count: int, channels: int) -> Float32 | None:
    """An AUDIO frame's sound, float32 [count, channels] in [-1, 1); None where codec, length and count disagree."""
    known = CODECS.get(codec)
    if known is None or channels < 1 or len(payload) != known.payload_bytes(count, channels):
        return None
    integers = known.decode(payload)
    if integers is None:
        return None
    samples = integers[: count * channels].astype(np.float32) / np.float32(known.full_scale)
    return samples.reshape(count, channels)


def payload_from_samples(codec: int, samples: Float32) -> bytes:
    """The payload that holds float32 [n, channels] in [-1, 1]; louder samples are limited.

    PCM16 and PCM24 err by half a step, µ-law by at most 1/30 of the sample and 7 steps of PCM16, IMA ADPCM by more the
    steeper the sound is. Raises ValueError for an unknown codec, and for IMA ADPCM of more than one channel.
    """
    known = CODECS.get(codec)
    if known is None:
        raise ValueError(f"codec {codec} is unknown; choose one of {', '.join(each.name for each in Codec)}")
    if codec == Codec.IMA_ADPCM and samples.shape[1] != 1:
        raise ValueError(f"IMA_ADPCM holds one channel, not {samples.shape[1]}")
    scaled = np.rint(samples.astype(np.float64) * known.full_scale)
    return known.encode(np.clip(scaled, -known.full_scale, known.full_scale - 1).astype(np.int32).ravel())


def payload_bytes(codec: int, count: int, channels: int) -> int:
    """How long the payload of `count` samples in each of `channels` is. Raises KeyError for an unknown codec."""
    return CODECS[codec].payload_bytes(count, channels)


def _decode_pcm16(payload: bytes) -> Int32:
    return np.frombuffer(payload, "<i2").astype(np.int32)


def _encode_pcm16(integers: Int32) -> bytes:
    return integers.astype("<i2").tobytes()


def _decode_pcm24(payload: bytes) -> Int32:
    padded = np.zeros((len(payload) // 3, 4), np.uint8)
    padded[:, 1:] = np.frombuffer(payload, np.uint8).reshape(-1, 3)
    return np.asarray(padded.view("<i4")[:, 0] >> 8, np.int32)


def _encode_pcm24(integers: Int32) -> bytes:
    return integers.astype("<i4")[:, np.newaxis].view(np.uint8)[:, :3].tobytes()


def _mulaw_table() -> Int32:
    """The 16-bit value of each µ-law byte (G.711, table 2a; 14 bits there)."""
    inverted = ~np.arange(256, dtype=np.uint8)
    exponent, mantissa = (inverted >> 4 & 7).astype(np.int32), (inverted & 15).astype(np.int32)
    magnitude = ((mantissa * 2 + 33) << exponent) - 33
    return np.where(inverted & 0x80, -magnitude, magnitude).astype(np.int32) * 4


MULAW_VALUES = _mulaw_table()
MULAW_SEGMENT_ENDS = np.array([0x3F, 0x7F, 0xFF, 0x1FF, 0x3FF, 0x7FF, 0xFFF])
MULAW_BIAS, MULAW_CLIP = 33, 8158


def _decode_mulaw(payload: bytes) -> Int32:
    return MULAW_VALUES[np.frombuffer(payload, np.uint8)]


def _encode_mulaw(integers: Int32) -> bytes:
    linear = integers >> 2
    biased = np.minimum(np.abs(linear), MULAW_CLIP) + MULAW_BIAS
    exponent = np.searchsorted(MULAW_SEGMENT_ENDS, biased)
    byte = (exponent << 4) | (biased >> (exponent + 1) & 15)
    return np.asarray(~(byte | np.where(linear < 0, 0x80, 0)), np.int64).astype(np.uint8).tobytes()


def _adpcm_tables() -> tuple[list[list[int]], list[list[int]]]:
    """By step index and nibble: by how much the sample changes, and the next step index."""
    changes = [[_adpcm_change(step, nibble) for nibble in range(16)] for step in ADPCM_STEPS]
    last = len(ADPCM_STEPS) - 1
    following = [
        [min(max(index + ADPCM_INDEX_CHANGES[nibble & 7], 0), last) for nibble in range(16)]
        for index in range(last + 1)
    ]
    return changes, following


def _adpcm_change(step: int, nibble: int) -> int:
    """Sums of shifted steps, as the IMA has it: a product would round otherwise."""
    magnitude = step >> 3
    for bit, shift in ((4, 0), (2, 1), (1, 2)):
        magnitude += step >> shift if nibble & bit else 0
    return -magnitude if nibble & 8 else magnitude


ADPCM_CHANGES, ADPCM_NEXT = _adpcm_tables()


def _decode_adpcm(payload: bytes) -> Int32 | None:
    sample, index = int.from_bytes(payload[:2], "little", signed=True), payload[2]
    if index >= len(ADPCM_STEPS):
        return None
    packed = np.frombuffer(payload, np.uint8, offset=ADPCM_HEADER_BYTES)
    samples = []
    for nibble in np.stack([packed & 15, packed >> 4], axis=1).ravel().tolist():
        sample += ADPCM_CHANGES[index][nibble]
        if not -32768 <= sample <= 32767:
            sample = 32767 if sample > 0 else -32768
        index = ADPCM_NEXT[index][nibble]
        samples.append(sample)
    return np.array(samples, np.int32)


def _encode_adpcm(integers: Int32) -> bytes:
    samples = integers.tolist()
    first = samples[0] if samples else 0
    index = _first_step_index(integers)
    payload = bytearray(first.to_bytes(2, "little", signed=True) + bytes([index, 0]))
    nibbles, heard = [], first
    for sample in samples:
        nibble = _adpcm_nibble(sample - heard, ADPCM_STEPS[index])
        heard = min(max(heard + ADPCM_CHANGES[index][nibble], -32768), 32767)
        index = ADPCM_NEXT[index][nibble]
        nibbles.append(nibble)
    nibbles += [0] * (len(nibbles) % 2)
    return bytes(payload) + bytes(low | high << 4 for low, high in zip(nibbles[::2], nibbles[1::2], strict=True))


def _first_step_index(integers: Int32) -> int:
    """For a step that reaches as far as the sound of this frame does from sample to sample: no frame knows another."""
    steepest = int(np.abs(np.diff(integers[:16])).max(initial=0))
    return min(int(np.searchsorted(ADPCM_STEPS, steepest)), len(ADPCM_STEPS) - 1)


def _adpcm_nibble(change: int, step: int) -> int:
    """The one whose change comes nearest from below, as in the IMA's encoder."""
    nibble, rest = (8, -change) if change < 0 else (0, change)
    for bit in (4, 2, 1):
        if rest >= step:
            nibble, rest = nibble | bit, rest - step
        step >>= 1
    return nibble


@dataclass(frozen=True)
class _Written:
    full_scale: int
    payload_bytes: Callable[[int, int], int]
    """Of so many samples in each of so many channels; -1 where that cannot be."""
    decode: Callable[[bytes], Int32 | None]
    encode: Callable[[Int32], bytes]

    def takes(self, channels: int) -> bool:
        """Whether it can hold so many."""
        return self.payload_bytes(0, channels) >= 0


CODECS: Mapping[int, _Written] = {
    Codec.PCM16: _Written(FULL_SCALE_16, lambda n, c: 2 * n * c, _decode_pcm16, _encode_pcm16),
    Codec.PCM24: _Written(FULL_SCALE_24, lambda n, c: 3 * n * c, _decode_pcm24, _encode_pcm24),
    Codec.MULAW: _Written(FULL_SCALE_16, lambda n, c: n * c, _decode_mulaw, _encode_mulaw),
    Codec.IMA_ADPCM: _Written(
        FULL_SCALE_16, lambda n, c: ADPCM_HEADER_BYTES + (n + 1) // 2 if c == 1 else -1, _decode_adpcm, _encode_adpcm
    ),
}
