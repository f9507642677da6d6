"""Writes edge/signal/tables/magma.npy from matplotlib's magma colour map (development only)."""

from __future__ import annotations

import numpy as np
from matplotlib import colormaps

from edge.signal.colour import TABLE


def main() -> None:
    """Sample the map at its own 256 entries, as 8-bit red, green and blue."""
    TABLE.parent.mkdir(exist_ok=True)
    np.save(TABLE, colormaps["magma"](np.arange(256), bytes=True)[:, :3], allow_pickle=False)


if __name__ == "__main__":
    main()
