"""PNG images of levels: one byte a pixel and a palette, so that a picture needs no imaging library on the device."""

from __future__ import annotations

import struct
import zlib

import numpy as np
from numpy.typing import NDArray

UInt8 = NDArray[np.uint8]

SIGNATURE = b"\x89PNG\r\n\x1a\n"
BIT_DEPTH, PALETTE_COLOUR = 8, 3
"""PNG (third edition), section 11.2.1: each sample is an index into PLTE."""
UP = 2
"""Section 9.2: each row as its difference from the row above. Measured on spectrograms: a tenth smaller than as is."""


def png_from_levels(levels: UInt8, palette: UInt8) -> bytes:
    """A PNG file that shows each level in its colour.

    Parameters: `levels` uint8 [rows, columns], the top row first; `palette` uint8 [1 to 256, 3], red, green and blue.
    Raises ValueError where an image has no pixel or a level has no colour.
    """
    rows, columns = levels.shape
    if levels.size == 0 or levels.max() >= len(palette):
        raise ValueError(f"levels {levels.shape} must hold a pixel, and none above the palette's {len(palette) - 1}")
    header = struct.pack(">IIBBBBB", columns, rows, BIT_DEPTH, PALETTE_COLOUR, 0, 0, 0)
    scanlines = np.full((rows, 1 + columns), UP, np.uint8)
    # Unsigned bytes wrap around, as the standard's differences do.
    scanlines[:, 1:] = levels - np.vstack([np.zeros_like(levels[:1]), levels[:-1]])
    chunks = (
        (b"IHDR", header),
        (b"PLTE", palette.astype(np.uint8).tobytes()),
        (b"IDAT", zlib.compress(scanlines.tobytes(), level=9)),
        (b"IEND", b""),
    )
    return SIGNATURE + b"".join(_chunk(name, content) for name, content in chunks)


def _chunk(name: bytes, content: bytes) -> bytes:
    checksum = zlib.crc32(name + content)
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", checksum)
