"""What the page shows of one recording: words, the spectrogram with its marks, the sound, the list of findings."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath

from edge.report.excerpts import Clip
from edge.report.findings import ABNORMAL, Findings, SoundEvent, Stretch
from edge.report.png import png_from_levels
from edge.report.spectrogram import RANGE_DB, Spectrogram, palette
from edge.report.text import (
    clock,
    count_words,
    kind_class,
    label_words,
    length,
    percent,
    reason_text,
    reason_words,
    shown,
)  # fmt: skip
from edge.report.timeline import frequency_axis_svg, lane_svg, lanes, marks_svg, time_axis_svg, time_unit
from edge.signal.spec import FeatureSpec

MAX_LISTED = 40
"""Findings in a card's table; the rest is counted, and is in the output of `score`."""
MAX_SPOKEN = 6
"""Findings in the words that stand for the picture; the table has them all."""


@dataclass(frozen=True)
class Look:
    """What was made of the recording's sound, for the eye and the ear."""

    picture: Spectrogram
    spec: FeatureSpec
    clips: Sequence[Clip]
    audio_note: str
    """What is not there to be heard, and how to get it; empty where all is there."""


def card(findings: Findings, anchor: str, device_title: str, look: Look | str) -> str:
    """The `<article>` of one recording; in place of its look, why there is none."""
    path = PurePath(findings.source)
    body = _error(findings.error) if findings.error is not None else _body(findings, device_title, look)
    return f"""<article class="card" id="{anchor}">
<h3><bdi>{shown(path.name)}</bdi></h3>
<p class="quiet"><bdi>{shown(path.parent)}</bdi></p>
{body}
<p class="print-only">Research use only. Not a medical device. <a class="quiet" href="#recordings">Recordings</a></p>
</article>
"""


def verdict(findings: Findings) -> str:
    """What was found, in one sentence of plain text."""
    noun = "breathing cycle" if findings.in_cycles else "window"
    if not findings.windows:
        return f"No {noun} to label."
    parts = [f"{findings.abnormal} abnormal{_counted({label: findings.labels[label] for label in ABNORMAL})}"]
    parts.append(f"{findings.labels['normal']} normal")
    if findings.refused:
        reasons = {reason_words(name): count for name, count in findings.reasons.most_common()}
        parts.append(f"{findings.refused} without a label{_counted(reasons)}")
    return f"{count_words(findings.windows, noun)}: {', '.join(parts)}."


def picture_words(findings: Findings) -> str:
    """The picture's findings in plain text, for who does not see it."""
    flagged = findings.flagged.found
    spoken = [_spoken(stretch, findings.sound_s) for stretch in flagged[:MAX_SPOKEN]]
    if len(flagged) > MAX_SPOKEN:
        spoken.append(f"and {len(flagged) - MAX_SPOKEN} more, listed below")
    found = "; ".join(spoken) if spoken else "nothing flagged"
    return f"Spectrogram of {length(findings.sound_s)}, 50 to 2000 Hz: {found}."


def _error(error: str) -> str:
    return f'<p class="problem"><strong>Could not be scored.</strong> {shown(error)}</p>'


def _body(findings: Findings, device_title: str, look: Look | str) -> str:
    models = ", ".join(sorted(findings.models))
    points = ", ".join(sorted(findings.operating_points))
    known = {"model": models, "operating point": points}
    said = "".join(f" · {name} {value}" for name, value in known.items() if value)
    facts = f"{length(findings.sound_s)} · {device_title or findings.device}{said}"
    seen = f'<p class="problem">No picture: {shown(look)}</p>' if isinstance(look, str) else _look(findings, look)
    return f"""<p class="facts">{shown(facts)}</p>
<p class="verdict">{shown(verdict(findings))}</p>
{seen}
{_events_table(findings)}{_flagged_table(findings)}"""


def _look(findings: Findings, look: Look) -> str:
    span_s = look.picture.span_s
    rows = "".join(
        f'<span class="lane-name">{shown(lane.name)}</span>{lane_svg(lane, span_s)}' for lane in lanes(findings)
    )
    return f"""<figure class="picture" data-span="{span_s:.3f}">
{frequency_axis_svg(look.spec)}<div class="sound">{_image(findings, look.picture)}{marks_svg(findings, span_s)}</div>
{rows}<span class="lane-name">{time_unit(findings.sound_s)}</span>{time_axis_svg(findings.sound_s, span_s)}
<figcaption>From the loudest points (pale) to {RANGE_DB:.0f} dB below them (black)</figcaption>
</figure>
{"".join(_player(clip, findings.sound_s) for clip in look.clips)}{_audio_note(look.audio_note)}"""


def _image(findings: Findings, picture: Spectrogram) -> str:
    rows, columns = picture.levels.shape
    content = base64.b64encode(png_from_levels(picture.levels, palette())).decode("ascii")
    return (
        f'<img alt="{shown(picture_words(findings))}" width="{columns}" height="{rows}" decoding="async" '
        f'src="data:image/png;base64,{content}">'
    )


def _player(clip: Clip, sound_s: float) -> str:
    heard = f"{clock(clip.start_s, sound_s)} to {clock(clip.end_s, sound_s)}, volume {clip.gain_db:+.0f} dB"
    content = base64.b64encode(clip.wave).decode("ascii")
    return (
        f'<div class="player"><audio controls preload="none" aria-label="Sound, {heard}" '
        f'data-start="{clip.start_s:.3f}" data-end="{clip.end_s:.3f}" '
        f'src="data:audio/wav;base64,{content}"></audio><span>{heard}</span></div>\n'
    )


def _audio_note(note: str) -> str:
    return f'<p class="quiet no-print">{shown(note)}</p>\n' if note else ""


def _events_table(findings: Findings) -> str:
    rows = "".join(_event_row(event, findings.sound_s) for event in findings.events[:MAX_LISTED])
    if not rows:
        return ""
    left_out = _left_out(len(findings.events) - MAX_LISTED + findings.further_events, 5)
    return f"""<table class="list"><caption>Breath sounds that lasted</caption>
<thead><tr><th scope="col">From</th><th scope="col">To</th><th scope="col">Sound</th>
<th scope="col">Highest probability</th><th scope="col">Mean</th></tr></thead>
<tbody>{rows}{left_out}</tbody></table>
"""


def _event_row(event: SoundEvent, sound_s: float) -> str:
    return (
        f"<tr><td>{_time_cell(event.start_s, sound_s)}</td><td>{clock(event.end_s, sound_s)}</td>"
        f"<td>{_tag(event.label)}</td><td>{percent(event.peak_probability)}</td>"
        f"<td>{percent(event.mean_probability)}</td></tr>"
    )


def _flagged_table(findings: Findings) -> str:
    flagged = findings.flagged.found
    if not flagged:
        return ""
    rows = "".join(_flagged_row(stretch, findings) for stretch in flagged[:MAX_LISTED])
    listener = '<th scope="col">Listener</th>' if findings.in_cycles else ""
    joined = _joined_note(findings)
    noun = "cycles" if findings.in_cycles else "windows"
    return f"""<table class="list"><caption>Flagged {noun}{joined}</caption>
<thead><tr><th scope="col">From</th><th scope="col">To</th><th scope="col">Classifier</th>{listener}
<th scope="col">Probability, or why there is no label</th></tr></thead>
<tbody>{rows}{_left_out(len(flagged) - MAX_LISTED, 5)}</tbody></table>
"""


def _joined_note(findings: Findings) -> str:
    if findings.flagged.gap_s > 0:
        return f" (those less than {findings.flagged.gap_s:g} s apart in one line)"
    return "" if findings.in_cycles else " (those that overlap in one line)"


def _flagged_row(stretch: Stretch, findings: Findings) -> str:
    listener = f"<td>{shown(stretch.annotated or '')}</td>" if findings.in_cycles else ""
    why = "; ".join(map(reason_text, stretch.reasons)) if stretch.label is None else percent(stretch.probability or 0.0)
    return (
        f"<tr><td>{_time_cell(stretch.start_s, findings.sound_s)}</td><td>{clock(stretch.end_s, findings.sound_s)}</td>"
        f"<td>{_tag(stretch.label)}</td>{listener}<td>{shown(why)}</td></tr>"
    )


def _time_cell(start_s: float, sound_s: float) -> str:
    """The time, as a button for the script where it can be heard."""
    return f'<span class="seek" data-at="{start_s:.3f}">{clock(start_s, sound_s)}</span>'


def _tag(label: str | None) -> str:
    return f'<span class="tag {kind_class(label)}">{shown(label_words(label))}</span>'


def _left_out(count: int, columns: int) -> str:
    if count <= 0:
        return ""
    return f'<tr><td colspan="{columns}">and {count} more, in the output of respire-edge score</td></tr>'


def _spoken(stretch: Stretch, sound_s: float) -> str:
    reasons = ", ".join(reason_words(reason.name) for reason in stretch.reasons)
    why = f" ({reasons})" if reasons else ""
    return f"{label_words(stretch.label)}{why} {clock(stretch.start_s, sound_s)} to {clock(stretch.end_s, sound_s)}"


def _counted(counts: dict[str, int]) -> str:
    parts = [f"{label_words(name)} {count}" for name, count in counts.items() if count]
    return f" ({', '.join(parts)})" if parts else ""
