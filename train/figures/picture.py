"""Drawing to a PNG file without a screen and without matplotlib's global state."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

from matplotlib.figure import Figure

from train.checkpoint import write_atomically
from train.errors import ConfigError

DOTS_PER_INCH = 120


def new_picture(width_inch: float, height_inch: float, *, arranged: bool = True) -> Figure:
    """An empty figure; `arranged` keeps its parts out of each other's way, which takes as long as drawing them."""
    return Figure(figsize=(width_inch, height_inch), dpi=DOTS_PER_INCH, layout="constrained" if arranged else None)


def save_picture(figure: Figure, path: Path) -> None:
    """Write a PNG, replaced in one step; missing folders are made. Raises ConfigError where it cannot be written."""
    content = BytesIO()
    figure.savefig(content, format="png")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, content.getvalue())
    except OSError as error:
        raise ConfigError(f"{path} cannot be written ({error.strerror}); give another file") from None
