"""Feature images and maps over them, drawn with frequencies in Hz and time in seconds."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.image import AxesImage
from numpy.typing import NDArray

from edge.signal.spec import FeatureSpec
from train.figures.rows import image_row_of_hz

TICKS_HZ = (100, 300, 500, 700, 1000, 1500, 1900)


def draw_image(axes: Axes, image: NDArray[np.uint8], spec: FeatureSpec) -> None:
    """A feature image, uint8 [C, H, W]: colours as they are, levels by the authors' colour map."""
    if spec.layout == "colour":
        axes.imshow(np.moveaxis(image, 0, 2), extent=_extent(spec), aspect="auto")
    else:
        axes.imshow(image[0], extent=_extent(spec), aspect="auto", cmap="magma", vmin=0, vmax=255)


def draw_overlay(axes: Axes, image: NDArray[np.uint8], attention: NDArray[np.floating], spec: FeatureSpec) -> None:
    """A map [H, W] from 0 to 1 in colours over the image in greys."""
    axes.imshow(image.mean(axis=0), extent=_extent(spec), aspect="auto", cmap="gray")
    axes.imshow(attention, extent=_extent(spec), aspect="auto", cmap="turbo", vmin=0, vmax=1, alpha=0.45)


def draw_average(axes: Axes, attention: NDArray[np.floating], spec: FeatureSpec, strongest: float) -> AxesImage:
    """A mean map [H, W] from 0 to `strongest`, over the span of an image."""
    return axes.imshow(attention, extent=_extent(spec), aspect="auto", cmap="viridis", vmin=0, vmax=strongest or 1)


def label_frequencies(axes: Axes, cut_rows: int, spec: FeatureSpec) -> None:
    """Frequencies beside an image from which that many mel rows were cut."""
    shown = {hz: row for hz in TICKS_HZ if (row := image_row_of_hz(hz, cut_rows, spec)) >= 0}
    axes.set_yticks(list(shown.values()), [str(hz) for hz in shown])
    axes.set_ylabel("Hz")


def label_rows(axes: Axes) -> None:
    """Shares of the image's height, where every image shows other frequencies."""
    axes.set_yticks([0, 0.5, 1], ["top", "half", "bottom"])
    axes.axhline(0.5, color="white", linestyle=":", linewidth=1)


def _extent(spec: FeatureSpec) -> tuple[float, float, float, float]:
    return (0, spec.window_s, 1, 0)
