"""Fits the detector of coughs and voices to all marks and writes its weights into the device's program.

`python -m train.sound_marks.fit --data FOLDER` takes some three minutes on one core.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from edge.coughs_and_voices.detector import WEIGHTS
from train.sound_marks.examples import make_examples, read_sounds
from train.sound_marks.fitting import fit, write_detector

STEPS = 1000
SEED = 0


def main(argv: list[str] | None = None) -> int:
    """Fit and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder that holds icbhi/ and sprsound/")
    parser.add_argument("--to", type=Path, default=WEIGHTS, help="the file of weights (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=SEED)
    options = parser.parse_args(argv)
    torch.set_num_threads(1)
    examples = list(make_examples(read_sounds(options.data, options.seed), options.seed))
    detector = fit(examples, STEPS, options.seed)
    write_detector(detector, options.to)
    print(options.to)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
