"""The GPU twin of `edge.signal.image`: the images of a batch of windows at once, on any torch device.

`edge.signal` is the definition: every table here is made by its functions, and the tests hold the twin against it.

Shapes: B = batch, S = samples of a window, R = mel rows, F = frames, C = colours, H = image rows, W = image columns.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from edge.signal.clipping import clipped_rows
from edge.signal.colour import magma, magma_grey
from edge.signal.mel import POWER_FLOOR, hann_window, mel_filterbank
from edge.signal.resize import ONE, bilinear_taps
from edge.signal.spec import FeatureSpec


class ImageMaker(nn.Module):
    """`image_from_window` and training's masks for a batch, on the device that the module was moved to.

    `precision` is that of the spectra. With float64, the definition's own, some ten pixels of a million differ from it,
    by one level (in colour by up to three): another order of the same sums rounds them to the other side. With float32,
    for devices that lack float64, some hundred do. Should such a pixel decide whether a row is blank, all of that image
    moves by a row; in the tests none does.
    """

    def __init__(self, spec: FeatureSpec, precision: torch.dtype = torch.float64) -> None:
        super().__init__()
        self.levels = _Levels(spec, precision)
        self.clipped_rows = _ClippedRows(spec)
        self.picture = _Picture(spec) if spec.layout == "colour" else None
        self.stretching = _RowStretching(spec.n_mels, spec.enlargement if spec.layout == "colour" else 1)

    @torch.no_grad()
    def forward(self, windows_BS: Tensor, masks_B4: Tensor | None = None) -> Tensor:
        """Images, uint8 [B, *spec.image_shape], of windows, float32 [B, spec.window_samples], on the module's device.

        `masks_B4`, int64 [B, 4], is first row, row past the last, first frame, frame past the last, in pixels of the
        image: that band and that stretch are painted at the image's mean level; 0, 0, 0, 0 paints nothing. Raises
        ValueError for windows of another length.
        """
        images_BCHW = self.from_levels(self.levels(windows_BS))
        return images_BCHW if masks_B4 is None else painted(images_BCHW, masks_B4)

    def from_levels(self, levels_BRF: Tensor) -> Tensor:
        """Images of levels, uint8 [B, R, F], highest band first: in integers alone, and so the definition's bytes."""
        planes_BCHW = levels_BRF[:, None] if self.picture is None else self.picture(levels_BRF)
        images_BCHW: Tensor = self.stretching(planes_BCHW, self.clipped_rows(levels_BRF))
        return images_BCHW


def painted(images_BCHW: Tensor, masks_B4: Tensor) -> Tensor:
    """`train.augmentation.mask` for a batch of uint8 images whose rectangles are drawn already."""
    rows, columns = (torch.arange(size, device=images_BCHW.device) for size in images_BCHW.shape[2:])
    first_row, end_row, first_column, end_column = masks_B4[:, :, None].unbind(1)
    in_band = (rows >= first_row) & (rows < end_row)
    in_stretch = (columns >= first_column) & (columns < end_column)
    covered = in_band[:, None, :, None] | in_stretch[:, None, None, :]
    mean_level = images_BCHW.sum((1, 2, 3)) // math.prod(images_BCHW.shape[1:])
    return torch.where(covered, mean_level.to(torch.uint8)[:, None, None, None], images_BCHW)


class _Tables(nn.Module):
    """Buffers that move with the module; they follow from the spec and have no place in a checkpoint."""

    def _keep(self, dtype: torch.dtype, **tables: NDArray[Any]) -> None:
        for name, table in tables.items():
            self.register_buffer(name, torch.from_numpy(table.copy()).to(dtype), persistent=False)


class _Levels(_Tables):
    """Windows [B, S] to levels, uint8 [B, R, F], highest band first: `levels_from_window`."""

    hann: Tensor
    filterbank: Tensor

    def __init__(self, spec: FeatureSpec, precision: torch.dtype) -> None:
        super().__init__()
        self.spec = spec
        self._keep(precision, hann=hann_window(spec.n_fft), filterbank=mel_filterbank(spec)[::-1])

    def forward(self, windows_BS: Tensor) -> Tensor:
        if windows_BS.shape[1:] != (self.spec.window_samples,):
            raise ValueError(f"windows have shape {list(windows_BS.shape)}; it must be [B, {self.spec.window_samples}]")
        levels_db = self._levels_db(windows_BS)
        floor = levels_db.amin((1, 2), keepdim=True)
        span = levels_db.amax((1, 2), keepdim=True) - floor
        return torch.where(span > 0, (levels_db - floor) / span * 255, 0).to(torch.uint8)

    def _levels_db(self, windows_BS: Tensor) -> Tensor:
        levels = 10 * torch.log10(self._mel_power(windows_BS).clamp(min=POWER_FLOOR))
        levels -= levels.amax((1, 2), keepdim=True)
        return levels.clamp(min=-self.spec.dynamic_range_db)

    def _mel_power(self, windows_BS: Tensor) -> Tensor:
        """float32 [B, R, F]; rounded to float32 where the definition rounds, so that the rest repeats it bit by bit."""
        beyond = self.spec.n_fft // 2
        sound = nn.functional.pad(windows_BS.to(self.hann.dtype), (beyond, beyond))
        frames_BFN = sound.unfold(1, self.spec.n_fft, self.spec.hop_samples) * self.hann
        parts = torch.view_as_real(torch.fft.rfft(frames_BFN)).square()
        power = parts.sum(-1).float().to(self.hann.dtype)
        return (self.filterbank @ power.mT).float()


class _ClippedRows(_Tables):
    """Levels, uint8 [B, R, F], to the number of rows to cut from each, int64 [B]: `clipped_rows`."""

    dark: Tensor
    cut: Tensor

    def __init__(self, spec: FeatureSpec) -> None:
        super().__init__()
        # Counted rather than divided, because a share in float32 would round elsewhere.
        shares = np.arange(spec.frames + 1) / spec.frames
        self.fewest_dark = int(np.count_nonzero(shares < spec.blank_share))
        self._keep(torch.bool, dark=magma_grey() < spec.blank_grey_level)
        self._keep(torch.int64, cut=np.array([_cut_below(blank, spec) for blank in range(spec.n_mels + 1)]))

    def forward(self, levels_BRF: Tensor) -> Tensor:
        blank_BR = self.dark[levels_BRF.int()].sum(2) >= self.fewest_dark
        return self.cut[blank_BR.long().cumprod(1).sum(1)]


def _cut_below(blank_rows: int, spec: FeatureSpec) -> int:
    """What `clipped_rows` cuts where so many rows at the top are blank and the next one, if any, is not."""
    levels = np.full((spec.n_mels, 1), 255, np.uint8)
    levels[:blank_rows] = 0
    return clipped_rows(levels, spec)


class _Picture(_Tables):
    """Levels, uint8 [B, R, F], to their colours, enlarged, uint8 [B, 3, H, W]: `magma` and `enlarge`."""

    colours: Tensor
    left: Tensor
    right: Tensor
    right_weight: Tensor
    upper: Tensor
    lower: Tensor
    lower_weight: Tensor

    def __init__(self, spec: FeatureSpec) -> None:
        super().__init__()
        left, right, right_weight = bilinear_taps(spec.frames, spec.frames * spec.enlargement)
        upper, lower, lower_weight = bilinear_taps(spec.n_mels, spec.n_mels * spec.enlargement)
        self._keep(torch.int32, colours=magma(), right_weight=right_weight[:, 0], lower_weight=lower_weight)
        self._keep(torch.int64, left=left, right=right, upper=upper, lower=lower)

    def forward(self, levels_BRF: Tensor) -> Tensor:
        planes = self.colours[levels_BRF.int()].permute(0, 3, 1, 2)
        wide = planes[..., self.left] * (ONE - self.right_weight) + planes[..., self.right] * self.right_weight
        wide >>= 4
        quarters = _weighted(wide[:, :, self.upper], ONE - self.lower_weight, 16)
        quarters += _weighted(wide[:, :, self.lower], self.lower_weight, 16)
        return _rounded(quarters)


class _RowStretching(_Tables):
    """Cuts a number of mel rows, int64 [B], from the top of planes, uint8 [B, C, H, W], and stretches what is left over
    the same H: `stretch_rows`.
    """

    upper: Tensor
    lower: Tensor
    lower_weight: Tensor

    def __init__(self, mel_rows: int, rows_per_mel_row: int) -> None:
        super().__init__()
        height = mel_rows * rows_per_mel_row
        taps = [bilinear_taps(height - cut, height) for cut in range(0, height, rows_per_mel_row)]
        cuts = np.arange(0, height, rows_per_mel_row)[:, np.newaxis]
        upper, lower, lower_weight = (np.stack(table) for table in zip(*taps, strict=True))
        self._keep(torch.int64, upper=upper + cuts, lower=lower + cuts)
        self._keep(torch.int32, lower_weight=lower_weight)

    def forward(self, planes_BCHW: Tensor, cut_B: Tensor) -> Tensor:
        weight_BCHW = self.lower_weight[cut_B][:, None]
        quarters = _weighted(_rows(planes_BCHW, self.upper[cut_B]), ONE - weight_BCHW, 9)
        quarters += _weighted(_rows(planes_BCHW, self.lower[cut_B]), weight_BCHW, 9)
        return _rounded(quarters)


def _rows(planes_BCHW: Tensor, rows_BH: Tensor) -> Tensor:
    """Other rows for each image, int32 [B, C, H, W]."""
    _, channels, _, width = planes_BCHW.shape
    return planes_BCHW.gather(2, rows_BH[:, None, :, None].expand(-1, channels, -1, width)).int()


def _weighted(levels: Tensor, weight: Tensor, dropped_bits: int) -> Tensor:
    """`levels` times `weight`, in quarters of a level; overwrites `levels`."""
    levels *= weight
    levels >>= dropped_bits
    return levels


def _rounded(quarters: Tensor) -> Tensor:
    """Quarters of a level, rounded to levels; overwrites its argument."""
    quarters += 2
    quarters >>= 2
    return quarters.to(torch.uint8)
