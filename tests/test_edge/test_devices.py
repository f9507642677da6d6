"""`respire-edge devices` says what to type, and it is what is then opened."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from edge.audio.audio_input import AudioInput
from edge.audio.cards import SoundCard
from edge.devices import devices, lines_from_inputs

if TYPE_CHECKING:
    from tools.sound_server import SoundServer


def test_a_card_is_listed_with_what_names_it_after_a_restart() -> None:
    stethoscope = AudioInput(
        2, "USB Audio: - (hw:1,0)", 1, 44100, True, SoundCard(1, "Device", "0d8c:0014", "1-1.2"), (8000, 44100)
    )
    built_in = AudioInput(0, "PCH: ALC257 (hw:0,0)", 2, 48000, False, SoundCard(0, "PCH"))
    assert list(lines_from_inputs([built_in, stethoscope]))[1:-1] == [
        "    PCH: ALC257 (hw:0,0); 2 channels, 48000 Hz",
        "        --source mic:card:PCH, whatever the order of the cards",
        "  * USB Audio: - (hw:1,0); 1 channels, 44100 Hz",
        "        --source mic:usb:0d8c:0014, whatever the order of the cards",
        "        accepts 8000, 44100 Hz",
    ]


def test_a_machine_without_inputs_says_what_to_do() -> None:
    assert "    none; plug in a microphone or a sound card" in list(lines_from_inputs([]))


def test_rates_are_asked_for_only_where_somebody_wants_to_know(sound_input: SoundServer) -> None:
    for try_rates in (False, True):
        out = io.StringIO()
        assert devices(try_rates=try_rates, out=out) == 0
        assert f"    {sound_input.input_name}; " in out.getvalue()
        assert ("        accepts 4000, 8000, " in out.getvalue()) == try_rates
