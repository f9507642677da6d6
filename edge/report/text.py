"""Values as text for people, safe to stand anywhere in a page."""

from __future__ import annotations

import html

from edge.errors import one_line
from edge.labels import LABELS
from edge.quality import Reason

LABEL_WORDS = {"normal": "normal", "crackle": "crackle", "wheeze": "wheeze", "both": "crackle and wheeze"}
NO_LABEL = "no label"
REASON_WORDS = {
    "non-finite": "damaged samples",
    "gap": "sound is missing",
    "clipping": "too loud, overdriven",
    "silence": "too quiet, or not on the skin",
    "dc": "constant offset, a fault of the input",
    "band": "sound that this stethoscope does not pick up",
    "hum": "mains hum",
    "speech": "speech",
    "knock": "knocks or rubbing",
    "cough": "coughing",
    "voice": "a voice, or crying",
}


def shown(text: object) -> str:
    """`text` as HTML. What acts instead of being seen (controls, line ends, directions, stray bytes) is written out."""
    return html.escape(one_line(str(text)), quote=True)


def clock(time_s: float, span_s: float) -> str:
    """A time within a recording of `span_s`: seconds, minutes:seconds or hours:minutes:seconds."""
    if span_s < 100:
        return f"{time_s:.1f} s"
    whole_s = round(time_s)
    minutes, seconds = divmod(whole_s, 60)
    if span_s < 3600:
        return f"{minutes}:{seconds:02}"
    return f"{minutes // 60}:{minutes % 60:02}:{seconds:02}"


def length(span_s: float) -> str:
    """How long something lasts, with its unit."""
    if span_s < 100:
        return f"{span_s:.1f} s"
    return f"{clock(span_s, span_s)} {'min' if span_s < 3600 else 'h'}"


def percent(share: float) -> str:
    """A share of 1 in whole percent."""
    return f"{100 * share:.0f} %"


def label_words(label: str | None) -> str:
    """A label in words."""
    return NO_LABEL if label is None else LABEL_WORDS.get(label, label)


def reason_words(name: str) -> str:
    """What a reason's name means; a name that this version does not know stands for itself."""
    return REASON_WORDS.get(name, name.replace("-", " "))


def reason_text(reason: Reason) -> str:
    """A reason in words, with what was measured and the limit."""
    measured, limit = (_amount(value, reason.unit) for value in (reason.measured, reason.threshold))
    return f"{reason_words(reason.name)} (measured {measured}, limit {limit})"


def count_words(number: int, noun: str) -> str:
    """A number with its noun."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def kind_class(label: str | None) -> str:
    """The style class of a label."""
    return label if label in LABELS else "none"


def _amount(value: float, unit: str) -> str:
    """A measured value with its unit; of a share, such as `share above 1 kHz`, percent."""
    if unit.split(" ")[0] == "share":
        return f"{100 * value:.3g} %{unit.removeprefix('share')}"
    return f"{value:.3g} {unit}".rstrip()
