"""What listening for coughs and voices costs: milliseconds of processor time for each second of sound, by block length.

python -m tools.measure_hearing
"""

from __future__ import annotations

import time

import numpy as np

from edge.coughs_and_voices.features import SAMPLE_RATE_HZ
from edge.coughs_and_voices.hearing import Hearing, extend_hearing, hearing_from

SOUND_S = 120
BLOCKS_S = (0.25, 0.5, 2.0)


def main() -> int:
    """Print Markdown: the least of five runs."""
    sound = (0.01 * np.random.default_rng(0).standard_normal(SOUND_S * SAMPLE_RATE_HZ)).astype(np.float32)
    print("| block (s) | ms for each second of sound |\n| --- | --- |")
    for block_s in BLOCKS_S:
        print(f"| {block_s:g} | {1000 * min(_spent_s(sound, block_s) for _ in range(5)) / SOUND_S:.2f} |")
    return 0


def _spent_s(sound: np.ndarray[tuple[int], np.dtype[np.float32]], block_s: float) -> float:
    length, hearing = round(block_s * SAMPLE_RATE_HZ), Hearing()
    begin_s = time.process_time()
    for start in range(0, sound.size, length):
        hearing = extend_hearing(hearing, sound[start : start + length])
        hearing = hearing_from(hearing, start / SAMPLE_RATE_HZ - 7)
    return time.process_time() - begin_s


if __name__ == "__main__":
    raise SystemExit(main())
