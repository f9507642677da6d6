"""The report as a person meets it: opened from a file in a real browser, by mouse and keyboard, on screen and paper."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from edge.labels import LABELS
from edge.report.report import write_report

if TYPE_CHECKING:
    from tools.chromium import Browser

RATE_HZ = 4000
RECORDINGS = (("breath10.wav", 20, "wheeze"), ("breath9.wav", 12, "normal"), ("quiet <b>&amp;.wav", 16, None))
ROWS = "[...document.querySelectorAll('#overview tbody tr')]"
CARDS = "[...document.querySelectorAll('#cards > article')]"
CHANNEL = "document.querySelector('audio')"


def records_of(source: Path, sound_s: float, label: str | None) -> Iterator[dict[str, Any]]:
    reasons = [{"name": "silence", "measured": -70.0, "threshold": -60.0, "unit": "dBFS"}]
    yield {
        "record": "result", "source": str(source), "device": "littmann3200", "start_s": sound_s / 4,
        "end_s": sound_s / 2, "label": label, "probabilities": dict.fromkeys(LABELS, 0.1) | {label or "both": 0.7},
        "quality": {"ok": label is not None, "reasons": [] if label else reasons}, "model": "common@1234",
    }  # fmt: skip
    yield {"record": "file", "source": str(source), "device": "littmann3200", "sound_s": sound_s}


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import soundfile

    folder = tmp_path_factory.mktemp("report")
    records: list[dict[str, Any]] = []
    for name, sound_s, label in RECORDINGS:
        noise = np.random.default_rng(sound_s).normal(0, 0.05, sound_s * RATE_HZ)
        soundfile.write(folder / name, noise, RATE_HZ)
        records += records_of(folder / name, sound_s, label)
    records.append({"record": "error", "source": "/data/bad.wav", "error": "/data/bad.wav: empty (0 bytes)"})
    write_report(folder / "report.html", records, with_audio=True)
    return folder / "report.html"


@pytest.fixture
def page(browser: Browser, report: Path) -> Iterator[Browser]:
    """The report, just opened; after the test nothing may have gone wrong or gone out."""
    browser.open(report)
    yield browser
    requests = [event["params"]["request"]["url"] for event in browser.events_of("Network.requestWillBeSent")]
    assert {url.split(":")[0] for url in requests if url != report.as_uri()} <= {"data"}
    assert report.as_uri() in requests
    assert [*browser.events_of("Log.entryAdded"), *browser.events_of("Runtime.exceptionThrown")] == []
    assert browser.events_of("Runtime.consoleAPICalled") == []


def names(page: Browser) -> list[str]:
    return [str(name) for name in page.value(f"{ROWS}.map(row => row.cells[0].textContent)")]


def card_names(page: Browser) -> list[str]:
    return [str(name) for name in page.value(f"{CARDS}.map(card => card.querySelector('h3').textContent)")]


def test_pictures_have_their_size_and_fill_their_place(page: Browser) -> None:
    pictures = page.value("""Promise.all([...document.querySelectorAll('.sound img')].map(async image => {
        await image.decode();
        const box = image.getBoundingClientRect();
        return [image.naturalWidth, image.naturalHeight, box.width > 500, box.height > 150];
    }))""")
    assert pictures == [[1 + s * RATE_HZ // 128, 64, True, True] for _, s, _ in RECORDINGS]


def test_marks_lie_over_the_picture_at_their_times(page: Browser) -> None:
    edges = page.value("""[...document.querySelectorAll('#r1 .edge')].map(edge => {
        const box = document.querySelector('#r1 .sound img').getBoundingClientRect();
        return (edge.getBoundingClientRect().x - box.x) / box.width * document.querySelector('#r1 figure').dataset.span;
    })""")
    assert edges == pytest.approx([5, 10], abs=0.05)


def test_a_click_on_a_heading_sorts_rows_and_cards_and_a_second_one_turns_them_round(page: Browser) -> None:
    page.click("th[data-key=length] button")
    longest_first = ["breath10.wav", "quiet <b>&amp;.wav", "breath9.wav", "bad.wav"]
    assert names(page) == card_names(page) == longest_first
    assert page.value("document.querySelector('th[data-key=length]').ariaSort") == "descending"
    page.click("th[data-key=length] button")
    assert names(page) == card_names(page) == longest_first[::-1]
    page.click("th[data-key=abnormal] button")
    assert names(page)[0] == "breath10.wav"
    assert page.value("document.querySelectorAll('[aria-sort]').length") == 1
    page.click("th[data-key=refused] button")
    assert names(page)[0] == "quiet <b>&amp;.wav"
    page.click("th[data-key=peak] button")
    assert names(page)[:2] == ["breath10.wav", "breath9.wav"]


def test_the_keyboard_alone_reaches_and_sorts_by_file_as_people_count(page: Browser) -> None:
    for _ in range(12):
        page.press("Tab")
        if page.value("document.activeElement.closest('th')?.dataset.key") == "file":
            break
    assert page.value("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    page.press("Enter", "\r")
    in_order = [name for name in names(page) if name.startswith("breath")]
    assert in_order == ["breath9.wav", "breath10.wav"]


def test_filters_leave_what_was_asked_for_and_say_how_much(page: Browser) -> None:
    shown = f"{ROWS}.filter(row => row.offsetParent).map(row => row.cells[0].textContent)"
    for wanted, expected in {"wheeze": "breath10.wav", "none": "quiet <b>&amp;.wav", "failed": "bad.wav"}.items():
        page.value(f"(filter.value = '{wanted}', filter.dispatchEvent(new Event('change')))")
        assert page.value(shown) == [expected]
        assert page.value("document.getElementById('shown').textContent") == "1 of 4 shown"
        assert page.value(f"{CARDS}.filter(card => card.offsetParent).length") == 1
    page.value("(filter.value = '', filter.dispatchEvent(new Event('change')))")
    page.click("#search")
    for letter in "TH9":
        page.press(letter, letter)
    assert page.value(shown) == ["breath9.wav"]


def test_pressing_play_plays_and_nothing_is_decoded_before(page: Browser) -> None:
    assert page.value("[...document.querySelectorAll('audio')].every(audio => audio.readyState === 0)")
    page.click("#r1 button.seek")
    page.wait_for(f"{CHANNEL}.currentTime > 5.2 && !{CHANNEL}.paused")
    assert page.value(f"{CHANNEL}.duration") == pytest.approx(20, abs=0.05)
    assert page.value(f"{CHANNEL}.error") is None
    page.wait_for("parseFloat(document.querySelector('#r1 .playhead').getAttribute('x1')) > 25")
    page.value("document.querySelector('#r3 audio').play()")
    assert page.value(f"{CHANNEL}.paused")


def test_the_players_own_button_plays_with_the_keyboard(page: Browser) -> None:
    page.value(f"{CHANNEL}.focus()")
    page.press(" ", " ")
    page.wait_for(f"{CHANNEL}.currentTime > 0.2")


def test_a_click_on_the_picture_plays_from_there(page: Browser) -> None:
    page.click("#r1 .sound")
    page.wait_for(f"{CHANNEL}.currentTime > 9.9 && !{CHANNEL}.paused")
    assert page.value(f"{CHANNEL}.currentTime") < 15


def test_the_sound_that_is_heard_is_the_recordings(page: Browser) -> None:
    level = page.value(f"""(async () => {{
        const url = {CHANNEL}.src, bytes = Uint8Array.from(atob(url.slice(url.indexOf(',') + 1)), c => c.charCodeAt(0));
        const sound = await new OfflineAudioContext(1, 1, {RATE_HZ}).decodeAudioData(bytes.buffer);
        const peak = sound.getChannelData(0).reduce((most, value) => Math.max(most, Math.abs(value)), 0);
        return [sound.duration, sound.numberOfChannels, peak];
    }})()""")
    assert level == pytest.approx([20, 1, 0.9], abs=0.02)


@pytest.mark.parametrize("width", [320, 1280])
def test_no_width_makes_the_page_scroll_sideways(page: Browser, width: int) -> None:
    page.ask("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False)
    assert page.value("document.documentElement.scrollWidth") <= width
    page.ask("Emulation.clearDeviceMetricsOverride")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_words_stand_out_from_their_ground(page: Browser, scheme: str) -> None:
    page.ask("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
    page.value("guide.open = true")
    pairs = page.value("""[...document.querySelectorAll('p, .tag, td, th, a, summary, figcaption')].map(word => {
        let ground = word;
        while (ground && getComputedStyle(ground).backgroundColor === 'rgba(0, 0, 0, 0)') ground = ground.parentElement;
        return [getComputedStyle(word).color, getComputedStyle(ground ?? document.body).backgroundColor];
    })""")
    page.ask("Emulation.setEmulatedMedia", features=[])
    assert len(pairs) > 50
    assert min(contrast(text, ground) for text, ground in pairs) >= 4.5


def test_on_paper_the_warning_stands_and_controls_do_not(page: Browser) -> None:
    page.ask("Emulation.setEmulatedMedia", media="print")
    shown = "(selector) => [...document.querySelectorAll(selector)].filter(each => each.checkVisibility()).length"
    assert [page.value(f"({shown})('{s}')") for s in ("#controls", ".player", ".banner", ".print-only")] == [0, 0, 1, 4]
    assert page.value("getComputedStyle(document.querySelector('.card')).breakInside") == "avoid"
    page.ask("Emulation.setEmulatedMedia", media="")
    paper = base64.b64decode(page.ask("Page.printToPDF", preferCSSPageSize=True)["data"])
    assert paper.startswith(b"%PDF-")


def test_without_a_script_everything_can_be_read_and_heard(browser: Browser, report: Path) -> None:
    browser.ask("Emulation.setScriptExecutionDisabled", value=True)
    try:
        browser.open(report)
        assert card_names(browser) == [name for name, _, _ in RECORDINGS] + ["bad.wav"]
        assert not browser.value("document.getElementById('controls').checkVisibility()")
        assert browser.value("[...document.querySelectorAll('audio')].filter(each => each.controls).length") == 3
    finally:
        browser.ask("Emulation.setScriptExecutionDisabled", value=False)


def test_what_got_into_the_page_all_the_same_would_neither_run_nor_reach_out(
    browser: Browser, report: Path, tmp_path: Path
) -> None:
    intruder = '<script>document.title = "ran"</script><img src="http://127.0.0.1:9/x.png" onerror="document.title=1">'
    spoilt = tmp_path / "spoilt.html"
    spoilt.write_text(report.read_text(encoding="utf-8").replace("</main>", f"{intruder}</main>"), encoding="utf-8")
    browser.open(spoilt)
    assert browser.value("document.title") == "Breath sounds: 4 recordings"
    refused = [event["params"]["entry"]["text"] for event in browser.events_of("Log.entryAdded")]
    assert len([text for text in refused if "Content Security Policy" in text]) == 3


def contrast(text: str, ground: str) -> float:
    """WCAG 2.2: contrast ratio of two CSS colours."""
    lighter, darker = sorted((luminance(text), luminance(ground)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def luminance(colour: str) -> float:
    parts = [int(part) / 255 for part in re.findall(r"\d+", colour)[:3]]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return float(np.dot(linear, [0.2126, 0.7152, 0.0722]))
