"""A folder as the place of results: each run writes a file of its own, so that a restart replaces nothing."""

from __future__ import annotations

import secrets
from datetime import datetime
from pathlib import Path


def results_path(output: str, begun: datetime) -> str:
    """`output`, or, where that is a folder, the path of a new JSON Lines file in it.

    Its name is when the run began, in UTC, and a random part: on a computer without a battery for its clock the same
    time comes again. It says nothing about anybody.
    """
    if not Path(output).is_dir():
        return output
    return str(Path(output) / f"results-{begun:%Y%m%dT%H%M%SZ}-{secrets.token_hex(4)}.jsonl")
