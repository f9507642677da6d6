"""What the kernel knows of a sound card that stays the same when cards are plugged in in another order.

Read from /sys alone: containers hide /proc/asound. A USB serial number identifies a person's stethoscope, and is not
read at all.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

SYSFS = Path("/sys")
ALSA_DEVICE = re.compile(r"\(hw:(\d+),\d+\)")
"""How PortAudio's ALSA inputs name their card, by a number that changes from start to start."""


@dataclass(frozen=True)
class SoundCard:
    """One card of the ALSA kernel interface."""

    number: int
    card_id: str
    """As in `hw:CARD=…`; made from the card's name, with a number behind where two are alike."""
    usb_id: str | None = None
    """Vendor and product, such as "0d8c:0014"; None for a card that is not on USB."""
    usb_path: str | None = None
    """The socket it is plugged into, such as "1-1.2"."""


def read_cards(sysfs: Path = SYSFS) -> dict[int, SoundCard]:
    """Every card by its number; empty where the machine has none or is no Linux."""
    found = (_maybe_card(folder) for folder in sorted((sysfs / "class" / "sound").glob("card*")))
    return {card.number: card for card in found if card is not None}


def maybe_card_of(input_name: str, cards: dict[int, SoundCard]) -> SoundCard | None:
    """The card that PortAudio's name of an input speaks of; None for an input of a sound server."""
    match = ALSA_DEVICE.search(input_name)
    return cards.get(int(match[1])) if match else None


def _maybe_card(folder: Path) -> SoundCard | None:
    card_id = _maybe_text(folder / "id")
    if card_id is None or not folder.name[len("card") :].isdecimal():
        return None
    interface = (folder / "device").resolve()
    vendor, product = _maybe_text(interface.parent / "idVendor"), _maybe_text(interface.parent / "idProduct")
    on_usb = vendor is not None and product is not None
    return SoundCard(
        number=int(folder.name[len("card") :]),
        card_id=card_id,
        usb_id=f"{vendor}:{product}" if on_usb else None,
        usb_path=interface.parent.name if on_usb else None,
    )


def _maybe_text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:  # also where the card is pulled out while it is being read
        return None
