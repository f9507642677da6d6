"""Features against stored images from librosa and OpenCV, for machines that have neither."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from edge.signal.clipping import clipped_rows
from edge.signal.image import colour_image_from_levels, image_from_window, levels_from_window
from edge.signal.spec import RESPIRENET

GOLDEN = Path(__file__).parents[1] / "golden" / "features.npz"


@pytest.fixture(scope="module")
def golden() -> dict[str, NDArray[np.generic]]:
    with np.load(GOLDEN, allow_pickle=False) as arrays:
        return dict(arrays)


@pytest.mark.parametrize("index", [0, 1])
def test_levels_are_the_stored_ones(golden: dict[str, NDArray[np.generic]], index: int) -> None:
    difference = np.abs(levels_from_window(golden["windows"][index], RESPIRENET).astype(int) - golden["levels"][index])
    assert np.mean(difference == 0) >= 0.999
    assert difference.max() <= 1


@pytest.mark.parametrize("index", [0, 1])
def test_the_colour_image_of_the_stored_levels_is_the_stored_one(
    golden: dict[str, NDArray[np.generic]], index: int
) -> None:
    image = colour_image_from_levels(golden["levels"][index], RESPIRENET)
    np.testing.assert_array_equal(image.transpose(1, 2, 0), golden["images"][index])


@pytest.mark.parametrize("index", [0, 1])
def test_from_window_to_picture_hardly_a_pixel_differs(golden: dict[str, NDArray[np.generic]], index: int) -> None:
    image = image_from_window(golden["windows"][index], RESPIRENET).transpose(1, 2, 0)
    assert np.mean(image != golden["images"][index]) <= 0.002


def test_the_second_window_has_blank_rows_to_cut(golden: dict[str, NDArray[np.generic]]) -> None:
    assert clipped_rows(golden["levels"][1][::-1], RESPIRENET) > 10
