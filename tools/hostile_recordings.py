"""Files that call themselves recordings and are not fit to be scored, each in its own way, made without libsndfile.

`python -m tools.hostile_recordings FOLDER` writes them all; `respire-edge score FOLDER` must name each in one line and
score whatever else lies beside them. Layouts: RIFF and WAVE after Microsoft and IBM (1991), RF64 after EBU Tech 3306,
FLAC after RFC 9639.
"""

from __future__ import annotations

import io
import struct
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

RATE_HZ = 8000
PCM, FLOAT, EXTENSIBLE, MPEG = 1, 3, 0xFFFE, 0x55
"""Format tags of a WAVE file."""
SECOND = (np.sin(np.arange(RATE_HZ) / 5) * 8000).astype("<i2").tobytes()
STREAM_INFO, LAST_BLOCK = 0, 0x80
"""FLAC: the type of the first metadata block, and the mark of the last one."""


def chunk(kind: bytes, content: bytes, announced: int | None = None) -> bytes:
    """A RIFF chunk, which may announce another length than it has."""
    return (
        kind
        + struct.pack("<I", len(content) if announced is None else announced)
        + content
        + b"\0" * (len(content) % 2)
    )


def fmt(tag: int = PCM, channels: int = 1, rate_hz: int = RATE_HZ, bits: int = 16, align: int | None = None) -> bytes:
    """A WAVE file's format chunk."""
    align = channels * bits // 8 if align is None else align
    return chunk(
        b"fmt ", struct.pack("<HHIIHH", tag, channels, rate_hz, rate_hz * align & 0xFFFFFFFF, align & 0xFFFF, bits)
    )


def riff(*chunks: bytes, kind: bytes = b"RIFF", form: bytes = b"WAVE") -> bytes:
    """A RIFF file of `chunks`."""
    content = form + b"".join(chunks)
    return kind + struct.pack("<I", len(content) & 0xFFFFFFFF) + content


def wav(content: bytes = SECOND, announced: int | None = None, **format_fields: int) -> bytes:
    """A WAVE file with the sound `content`."""
    return riff(fmt(**format_fields), chunk(b"data", content, announced))


def flac(stream_info: bytes, *frames: bytes, length: int | None = None) -> bytes:
    """A FLAC file with one metadata block, which may announce another length than it has."""
    header = struct.pack(">I", (STREAM_INFO | LAST_BLOCK) << 24 | (len(stream_info) if length is None else length))
    return b"fLaC" + header + stream_info + b"".join(frames)


def stream_info(
    rate_hz: int = RATE_HZ, channels: int = 1, bits: int = 16, samples: int = RATE_HZ, block: int = 4096
) -> bytes:
    """FLAC's STREAMINFO (RFC 9639, section 8.2)."""
    packed = rate_hz << 44 | (channels - 1) << 41 | (bits - 1) << 36 | samples
    return struct.pack(">HH", block, block) + bytes(6) + struct.pack(">Q", packed) + bytes(16)


def noise(size: int) -> bytes:
    """The same random bytes each time."""
    return np.random.default_rng(8).bytes(size)


def floats(*values: float) -> bytes:
    """A second of 32-bit floats, `values` over and over."""
    return np.resize(np.array(values, "<f4"), RATE_HZ).tobytes()


def zipped() -> bytes:
    """A ZIP archive in which twenty megabytes of silence take twenty kilobytes."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.wav", bytes(20_000_000))
    return packed.getvalue()


UNREADABLE: dict[str, Callable[[], bytes]] = {
    "nothing at all": lambda: b"",
    "one byte": lambda: b"R",
    "four bytes": lambda: b"RIFF",
    "a header alone": lambda: riff(),
    "another form": lambda: riff(fmt(), chunk(b"data", SECOND), form=b"AVI "),
    "no format": lambda: riff(chunk(b"data", SECOND)),
    "no sound chunk": lambda: riff(fmt()),
    "no samples": lambda: wav(b""),
    "sound before its format": lambda: riff(chunk(b"data", SECOND), fmt()),
    "a format of no bytes": lambda: riff(chunk(b"fmt ", b""), chunk(b"data", SECOND)),
    "a format of four gigabytes": lambda: riff(chunk(b"fmt ", fmt()[8:], 0xFFFFFFFF), chunk(b"data", SECOND)),
    "half its sound": lambda: wav(SECOND[:8000], announced=16000),
    "two gigabytes announced": lambda: wav(announced=0x7FFF_0000),
    "no channel": lambda: wav(channels=0, align=2),
    "65535 channels": lambda: wav(channels=65535),
    "a rate of zero": lambda: wav(rate_hz=0),
    "a rate of four gigahertz": lambda: wav(rate_hz=0xFFFFFFFF),
    "a rate below 4 kHz": lambda: wav(rate_hz=3999),
    "a rate above 48 kHz": lambda: wav(rate_hz=192_000),
    "no bits": lambda: wav(bits=0, align=2),
    "255 bits": lambda: wav(bits=255, align=2),
    "an unknown encoding": lambda: wav(tag=0x1234),
    "MP3 inside": lambda: wav(noise(4000), tag=MPEG, bits=0, align=1),
    "ADPCM inside": lambda: wav(noise(4096), tag=17, bits=4, align=256),
    "extensible without its extension": lambda: wav(tag=EXTENSIBLE),
    "extensible with an unknown encoding": lambda: riff(
        chunk(b"fmt ", fmt(EXTENSIBLE)[8:] + struct.pack("<HHI", 22, 16, 4) + noise(16)), chunk(b"data", SECOND)
    ),
    "a million empty chunks": lambda: riff(fmt(), chunk(b"JUNK", b"") * 1_000_000),
    "a chunk that ends beyond the file": lambda: riff(fmt(), chunk(b"LIST", b"", 0x7000_0000), chunk(b"data", SECOND)),
    "a file within a file": lambda: riff(riff(fmt(), chunk(b"data", SECOND))),
    "RF64 without its lengths": lambda: riff(fmt(), chunk(b"data", SECOND, 0xFFFFFFFF), kind=b"RF64"),
    "RF64 of nine exabytes": lambda: riff(
        chunk(b"ds64", struct.pack("<QQQI", 2**63 - 1, 2**63 - 1, 2**62, 0)),
        fmt(), chunk(b"data", SECOND, 0xFFFFFFFF), kind=b"RF64",
    ),
    "text": lambda: b"start end crackle wheeze\n0.0 1.0 0 0\n" * 50,
    "a web page": lambda: b"<!DOCTYPE html><script>alert(1)</script>",
    "an archive": zipped,
    "a program": lambda: b"\x7fELF" + noise(5000),
    "an MP3": lambda: b"ID3\x04\0\0\0\0\0\0" + b"\xff\xfb\x90\x44" + noise(4000),
    "an Ogg stream": lambda: b"OggS\0\x02" + noise(4000),
    "an AIFF": lambda: b"FORM" + struct.pack(">I", 4000) + b"AIFFCOMM" + noise(4000),
    "noise": lambda: noise(50_000),
    "noise after a header": lambda: b"RIFF" + noise(50_000),
    "FLAC: four bytes": lambda: b"fLaC",
    "FLAC: no sound": lambda: flac(stream_info()),
    "FLAC: noise": lambda: flac(stream_info(), noise(20_000)),
    "FLAC: a rate of zero": lambda: flac(stream_info(rate_hz=0), noise(2000)),
    "FLAC: 655 kHz": lambda: flac(stream_info(rate_hz=655_350), noise(2000)),
    "FLAC: blocks of no samples": lambda: flac(stream_info(block=0), noise(2000)),
    "FLAC: years of sound": lambda: flac(stream_info(samples=2**36 - 1), noise(2000)),
    "FLAC: no length": lambda: flac(stream_info(samples=0), noise(2000)),
    "FLAC: metadata of sixteen megabytes": lambda: flac(stream_info(), noise(2000), length=0xFFFFFF),
    "FLAC: two times its metadata": lambda: flac(stream_info() * 2, noise(2000), length=68),
}  # fmt: skip
"""What no result can come of."""

PLAYABLE: dict[str, Callable[[], bytes]] = {
    "one sample": lambda: wav(SECOND[:2]),
    "a thousand channels": lambda: wav(SECOND * 125, channels=1000),
    "nothing but full scale": lambda: wav(b"\xff\x7f" * RATE_HZ),
    "nothing but NaN": lambda: wav(floats(np.nan), tag=FLOAT, bits=32),
    "infinities": lambda: wav(floats(np.inf, -np.inf), tag=FLOAT, bits=32),
    "the largest floats": lambda: wav(floats(3e38, -3e38), tag=FLOAT, bits=32),
    "the smallest floats": lambda: wav(floats(1e-45, -1e-45), tag=FLOAT, bits=32),
    "a recorder that was switched off": lambda: wav(announced=0xFFFFFFFF),
    "a chunk of notes before the sound": lambda: riff(fmt(), chunk(b"LIST", noise(999)), chunk(b"data", SECOND)),
}
"""What sounds strange, and is scored or refused window by window."""


def write_hostile_recordings(folder: Path) -> dict[str, Path]:
    """Write every file; its kind -> its path."""
    kinds = UNREADABLE | PLAYABLE
    paths = {kind: folder / f"{kind}.{'flac' if kind.startswith('FLAC') else 'wav'}" for kind in kinds}
    for kind, path in paths.items():
        path.write_bytes(kinds[kind]())
    return paths


def main() -> int:
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    print(f"{len(write_hostile_recordings(folder))} files in {folder}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
