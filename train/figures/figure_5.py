"""Figure 5: attention averaged over what a split tests on, before and after blank region clipping."""

from __future__ import annotations

from matplotlib.figure import Figure

from train import paper
from train.attention import attention_grid
from train.figures.average_attention import (
    AverageAttention,
    Classes,
    average_attention,
    class_words,
    rows_above,
)
from train.figures.comparison import Comparison
from train.figures.picture import new_picture
from train.figures.rows import band_centres_hz
from train.figures.spectrogram import draw_average, label_frequencies, label_rows
from train.tables.table import Column, Table, Value

BLANK_FROM_HZ = 1500.0
"""Paper, section 3: where the samples of a Litt3200 are blank."""


def figure_5(compared: Comparison, classes: Classes) -> tuple[Figure, Table]:
    """The picture, and its numbers."""
    before = average_attention(compared.before, compared.recordings, classes)
    after = average_attention(compared.after, compared.recordings, classes)
    return _picture(compared, before, after), _table(compared, before, after, classes)


def _picture(compared: Comparison, before: AverageAttention, after: AverageAttention) -> Figure:
    picture = new_picture(11, 7)
    panels = picture.subplots(2, 2)
    strongest = max(float(each.image.max()) for each in (before, after))
    for column, (when, average) in enumerate((("before", before), ("after", after))):
        seen, by_frequency = panels[0][column], panels[1][column]
        shown = draw_average(seen, average.image, average.spec, strongest)
        label_rows(seen)
        seen.set_title(f"{when}, in the image: {_percent(average.lower_half_share):.1f} % in the lower half")
        draw_average(by_frequency, average.by_mel_row, average.spec, strongest)
        label_frequencies(by_frequency, 0, average.spec)
        above = _percent(average.share_above(BLANK_FROM_HZ))
        by_frequency.set_title(f"{when}, by frequency: {above:.1f} % above {BLANK_FROM_HZ:.0f} Hz")
        by_frequency.set_xlabel("s")
    picture.colorbar(shown, ax=panels, label="mean attention (1: each map's own peak)")
    picture.suptitle(
        "Mean attention (Grad-CAM++, layer 4) before and after blank region clipping\n"
        f"{compared.place}, {after.cycles} cycles"
    )
    return picture


def _table(compared: Comparison, before: AverageAttention, after: AverageAttention, classes: Classes) -> Table:
    return Table(
        title="Figure 5: share of the attention (Grad-CAM++, layer 4), before and after blank region clipping",
        facts={"side": compared.place, "cycles": after.cycles, "class": class_words(classes)},
        columns=(
            Column(name="where"),
            Column(name="before %", decimals=1),
            Column(name="after %", decimals=1),
            Column(name="evenly spread %", decimals=1),
        ),
        rows=_rows(before, after),
        notes=tuple(_notes(compared, after)),
    )


def _rows(before: AverageAttention, after: AverageAttention) -> tuple[tuple[Value, ...], ...]:
    spec = after.spec
    half_hz = float(band_centres_hz(spec)[spec.n_mels // 2])
    blank_share = rows_above(BLANK_FROM_HZ, spec).stop / spec.n_mels
    shares = {
        "lower half of the image (paper)": (before.lower_half_share, after.lower_half_share, 0.5),
        f"lower half of the mel rows, under {half_hz:.0f} Hz": (
            1 - before.share_above(half_hz),
            1 - after.share_above(half_hz),
            0.5,
        ),
        f"above {BLANK_FROM_HZ:.0f} Hz": (
            before.share_above(BLANK_FROM_HZ),
            after.share_above(BLANK_FROM_HZ),
            blank_share,
        ),
    }
    return tuple((where, *(_percent(share) for share in found)) for where, found in shares.items())


def _notes(compared: Comparison, after: AverageAttention) -> list[str]:
    rows, columns = attention_grid(compared.after.network(), after.spec.image_shape)
    return [
        f"The paper averages over {paper.FIGURE_5_CYCLES} cycles and prints no share.",
        f"Layer 4 has {rows} x {columns} cells for an image of {after.spec.n_mels} mel rows: what lies between them is "
        "interpolated.",
        f"{after.blank_cycles} of {after.cycles} cycles have blank rows at the top; clipping cuts "
        f"{after.mean_cut_rows:.1f} of {after.spec.n_mels} mel rows on average. By frequency, rows cut off count as 0.",
        f"before: {compared.before.folder}, epoch {compared.before.epoch}; after: {compared.after.folder}, "
        f"epoch {compared.after.epoch}.",
    ]


def _percent(share: float) -> float:
    return 100 * share
