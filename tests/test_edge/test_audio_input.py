"""Inputs are chosen by names and ids that stay the same, out of lists that do not."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from edge.audio.audio_input import AudioInput, choose_input, input_from_fields, stable_selector
from edge.audio.cards import SoundCard, maybe_card_of, read_cards
from edge.errors import AudioDeviceError

SERIAL = "EKO-123456"
USB_CARD = SoundCard(1, "Device", "0d8c:0014", "1-1.2")
TWIN = SoundCard(2, "Device_1", "0d8c:0014", "1-1.4")


def an_input(index: int, name: str, card: SoundCard | None = None, is_default: bool = False) -> AudioInput:
    return AudioInput(index, name, channels=2, native_rate_hz=44100, is_default=is_default, card=card)


BUILT_IN = an_input(0, "PCH: ALC257 Analog (hw:0,0)", SoundCard(0, "PCH"))
BUILT_IN_2 = an_input(1, "PCH: ALC257 Alt Analog (hw:0,2)", SoundCard(0, "PCH"))
USB = an_input(2, "USB Audio Device: - (hw:1,0)", USB_CARD)
USB_TWIN = an_input(3, "USB Audio Device: - (hw:2,0)", TWIN)
SERVER = an_input(4, "pulse", is_default=True)
INPUTS = [BUILT_IN, BUILT_IN_2, USB, SERVER]


def plug_in(sysfs: Path, number: int, card_id: str, device: str, usb_id: str | None = None) -> None:
    """A card as the kernel shows it, serial number included."""
    folder = sysfs / "devices" / device / "sound" / f"card{number}"
    folder.mkdir(parents=True)
    (folder / "id").write_text(f"{card_id}\n")
    (folder / "device").symlink_to(sysfs / "devices" / device)
    if usb_id is not None:
        vendor, product = usb_id.split(":")
        usb_device = (sysfs / "devices" / device).parent
        for name, text in (("idVendor", vendor), ("idProduct", product), ("serial", SERIAL)):
            (usb_device / name).write_text(f"{text}\n")
    (sysfs / "class" / "sound").mkdir(parents=True, exist_ok=True)
    (sysfs / "class" / "sound" / f"card{number}").symlink_to(folder)


def test_cards_are_read_with_what_stays_the_same_of_them(tmp_path: Path) -> None:
    plug_in(tmp_path, 0, "PCH", "pci0000:00/0000:00:1f.3")
    plug_in(tmp_path, 1, "Device", "pci0000:00/usb1/1-1/1-1.2/1-1.2:1.0", "0d8c:0014")
    assert read_cards(tmp_path) == {0: SoundCard(0, "PCH"), 1: USB_CARD}


def test_a_machine_without_cards_has_none(tmp_path: Path) -> None:
    assert read_cards(tmp_path) == {}


def test_a_card_that_vanishes_while_it_is_read_is_left_out(tmp_path: Path) -> None:
    plug_in(tmp_path, 0, "PCH", "pci0000:00/0000:00:1f.3")
    (tmp_path / "class" / "sound" / "card1").symlink_to(tmp_path / "gone")
    assert list(read_cards(tmp_path)) == [0]


def test_portaudios_name_of_an_alsa_input_leads_to_its_card() -> None:
    cards = {1: USB_CARD, 2: TWIN}
    assert maybe_card_of("USB Audio Device: - (hw:2,0)", cards) == TWIN
    assert maybe_card_of("USB Audio Device: - (hw:7,0)", cards) is None
    assert maybe_card_of("pulse", cards) is None


@pytest.mark.parametrize(
    ("selector", "chosen"),
    [
        ("", SERVER),
        ("PULSE", SERVER),
        ("alt analog", BUILT_IN_2),
        ("usb:0d8c:0014", USB),
        ("USB:0D8C:0014", USB),
        ("usb:0d8c:0014@1-1.2", USB),
        ("card:Device", USB),
        ("card:PCH", BUILT_IN),
    ],
)
def test_an_input_is_chosen_by_name_or_id(selector: str, chosen: AudioInput) -> None:
    assert choose_input(selector, INPUTS) == chosen
    assert choose_input(selector, INPUTS[::-1]).name in (chosen.name, BUILT_IN_2.name)


def test_an_exact_name_wins_over_names_that_contain_it() -> None:
    assert choose_input("pulse", [an_input(5, "pulse monitor"), SERVER]) == SERVER


@pytest.mark.parametrize(
    ("selector", "inputs", "said"),
    [
        ("analog", INPUTS, r"mic:analog: that fits 'PCH.*', 'PCH.*'; give more of the name"),
        ("Thinklabs", INPUTS, r"mic:Thinklabs: no input has that in its name; inputs are 'PCH.*'pulse'"),
        ("usb:1111:2222", INPUTS, r"mic:usb:1111:2222: no input has that id; inputs are "),
        ("usb:0d8c:0014@1-9", INPUTS, r"mic:usb:0d8c:0014@1-9: no input has that id; inputs are "),
        (
            "usb:0d8c:0014",
            [*INPUTS, USB_TWIN],
            r"that fits .*; choose mic:usb:0d8c:0014@1-1.2 or mic:usb:0d8c:0014@1-1.4",
        ),
        ("", INPUTS[:3], r"mic: no default input is set; choose one with mic:NAME"),
        ("", [], r"no sound input on this machine; plug in a microphone"),
    ],
)
def test_a_choice_that_is_not_clear_lists_what_there_is(selector: str, inputs: list[AudioInput], said: str) -> None:
    with pytest.raises(AudioDeviceError, match=said):
        choose_input(selector, inputs)


def test_what_was_chosen_is_found_again_under_another_number_and_in_another_order() -> None:
    selector = stable_selector(USB, INPUTS)
    assert selector == "usb:0d8c:0014"
    moved = an_input(0, "USB Audio Device: - (hw:0,0)", SoundCard(0, "Device", "0d8c:0014", "1-4"))
    assert choose_input(selector, [moved, an_input(1, "PCH: ALC257 Analog (hw:1,0)", SoundCard(1, "PCH"))]) == moved


def test_of_two_equal_cards_the_socket_tells_which() -> None:
    assert [stable_selector(entry, [USB_TWIN, USB, BUILT_IN]) for entry in (USB, USB_TWIN, BUILT_IN)] == [
        "usb:0d8c:0014@1-1.2",
        "usb:0d8c:0014@1-1.4",
        "card:PCH",
    ]


def test_an_input_goes_through_json_and_back() -> None:
    for entry in (USB, AudioInput(1, "pulse", 32, 44100, accepted_rates_hz=(8000, 44100))):
        assert input_from_fields(json.loads(json.dumps(asdict(entry)))) == entry


def test_a_serial_number_is_never_read(tmp_path: Path) -> None:
    plug_in(tmp_path, 1, "Device", "pci0000:00/usb1/1-1/1-1.2/1-1.2:1.0", "0d8c:0014")
    assert SERIAL not in repr(read_cards(tmp_path))
