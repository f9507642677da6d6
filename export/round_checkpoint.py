"""Command: a trained checkpoint at half its size, for keeping it in the repository.

`python -m export.round_checkpoint --checkpoint runs/joint/best --output checkpoints/common`

Weights of convolutions and fully connected layers are rounded to float16; vectors (biases, batch normalisation) stay
float32. Export, quantisation and every published figure then start from the rounded checkpoint, so that they can be
repeated to the bit from the repository.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from export.errors import ExportError
from train.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from train.errors import TrainError


def main(argv: Sequence[str] | None = None) -> int:
    """Exit code 0, or 2 with one line on stderr."""
    arguments = build_parser().parse_args(argv)
    try:
        rounded = round_checkpoint(load_checkpoint(arguments.checkpoint))
        save_checkpoint(arguments.output, rounded)
    except (ExportError, TrainError, OSError) as error:
        print(f"round_checkpoint: {error}", file=sys.stderr)
        return 2
    print(f"{arguments.output}: weights as float16; export from here, so that what is released can be exported again")
    return 0


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m export.round_checkpoint", description=__doc__)
    parser.add_argument("--checkpoint", type=Path, required=True, help="folder with weights.pt and checkpoint.json")
    parser.add_argument("--output", type=Path, required=True, metavar="FOLDER")
    return parser


def round_checkpoint(checkpoint: Checkpoint) -> Checkpoint:
    """The checkpoint with its weight matrices in float16. Raises ExportError for a weight beyond float16's range."""
    weights = {name: _rounded(name, tensor) for name, tensor in checkpoint.weights.items()}
    return replace(
        checkpoint, weights=weights, training_run={**checkpoint.training_run, "weights_stored_as": "float16"}
    )


def _rounded(name: str, tensor: Tensor) -> Tensor:
    # Vectors are a hundredth of the size, and variances of batch normalisation span more than float16 can.
    if tensor.dim() != 2 and (tensor.dim() != 4 or not name.endswith(".weight")):
        return tensor
    half = tensor.to(torch.float16)
    if not torch.isfinite(half).all():
        raise ExportError(f"{name}: a weight of {tensor.abs().max():.0f} exceeds float16; keep the checkpoint as it is")
    return half


if __name__ == "__main__":
    raise SystemExit(main())
