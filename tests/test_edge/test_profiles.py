"""Stethoscopes as data."""

from __future__ import annotations

import copy
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from edge.errors import ProfileError
from edge.profiles import (
    PROFILES_VARIABLE,
    QUALITY_RANGES,
    QualityLimits,
    load_profile,
    load_profiles,
    profile_from_icbhi_token,
    read_profile,
)

BUILT_IN = {"littmann3200": "Litt3200", "littc2se": "LittC2SE", "meditron": "Meditron", "akgc417l": "AKGC417L"}
FIFTH: dict[str, Any] = {
    "schema": 1,
    "name": "thinklabs_one",
    "title": "Thinklabs One Digital Stethoscope",
    "icbhi_token": None,
    "model": "common",
    "connection": {"value": "its 3.5 mm output into a line input", "source": "the vendor's support pages"},
    "native_sample_rates_hz": {"value": [44100, 48000], "source": "the sound card's own"},
    "acoustic_band_hz": {"value": [20, 2000], "source": "an example for this test"},
    "quality": {
        "silence_level_dbfs": {"value": -65, "source": "an example for this test"},
        "clipped_share": {"value": 0.01, "source": "an example for this test"},
    },
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A user's folder with a fifth stethoscope."""
    write(tmp_path, FIFTH)
    return tmp_path


def write(folder: Path, fields: object, name: str = "thinklabs_one") -> Path:
    path = folder / f"{name}.json"
    path.write_text(json.dumps(fields))
    return path


def test_the_four_stethoscopes_of_the_icbhi_database_are_known() -> None:
    profiles = load_profiles({})
    assert {name: profile.icbhi_token for name, profile in profiles.items()} == BUILT_IN


@pytest.mark.parametrize("name", BUILT_IN)
def test_every_number_of_a_profile_says_where_it_comes_from(name: str) -> None:
    profile = load_profile(name, {})
    limits = {f"quality.{key}" for key, limit in asdict(profile.quality).items() if limit is not None}
    assert set(profile.sources) == {"connection", "native_sample_rates_hz", "acoustic_band_hz", *limits}
    assert all(len(source) > 20 for source in profile.sources.values())


@pytest.mark.parametrize("name", BUILT_IN)
def test_the_limits_of_a_profile_are_plausible(name: str) -> None:
    profile = load_profile(name, {})
    assert all(4000 <= rate <= 48_000 for rate in profile.native_sample_rates_hz)
    assert -80 < profile.quality.silence_level_dbfs < -50
    assert 0 < profile.quality.clipped_share <= 0.3
    assert profile.quality.gap_share == 0.02
    assert None not in {profile.quality.dc_share, profile.quality.hum_db, profile.quality.cough_s}
    assert 0.05 < (profile.quality.voice_s or 0) < 0.5
    assert -30 < (profile.quality.knock_level_dbfs or 0) < -10


def test_limits_that_a_profile_leaves_out_are_not_checked_but_for_gaps(folder: Path) -> None:
    limits = read_profile(folder / "thinklabs_one.json").quality
    assert limits == QualityLimits(silence_level_dbfs=-65.0, clipped_share=0.01, gap_share=0.02)
    assert limits.hum_db is limits.cough_s is limits.voice_s is limits.dc_share is None


def test_a_profile_may_set_every_limit(tmp_path: Path) -> None:
    values = {key: 0.25 if "share" in key or key.endswith("_s") else -10.5 for key in QUALITY_RANGES}
    fields = copy.deepcopy(FIFTH)
    fields["quality"] = {key: {"value": value, "source": "an example"} for key, value in values.items()}
    assert asdict(read_profile(write(tmp_path, fields)).quality) == values


def test_a_fifth_stethoscope_is_added_by_a_file_alone(folder: Path) -> None:
    environ = {PROFILES_VARIABLE: str(folder)}
    assert set(load_profiles(environ)) == {*BUILT_IN, "thinklabs_one"}
    profile = load_profile("thinklabs_one", environ)
    assert profile.title == "Thinklabs One Digital Stethoscope"
    assert profile.quality.silence_level_dbfs == -65.0
    assert profile.native_sample_rates_hz == (44_100, 48_000)
    assert profile.acoustic_band_hz == (20.0, 2000.0)


def test_a_profile_is_also_loaded_from_the_path_of_its_file(folder: Path) -> None:
    assert load_profile(str(folder / "thinklabs_one.json"), {}).name == "thinklabs_one"


def test_a_users_profile_takes_the_place_of_one_that_comes_along(tmp_path: Path) -> None:
    write(tmp_path, FIFTH | {"name": "meditron"}, "meditron")
    assert load_profile("meditron", {PROFILES_VARIABLE: str(tmp_path)}).quality.silence_level_dbfs == -65.0
    assert load_profile("meditron", {}).quality.silence_level_dbfs == -70.0


def test_a_broken_profile_does_not_keep_another_from_loading(tmp_path: Path) -> None:
    (tmp_path / "broken.json").write_text("{")
    assert load_profile("meditron", {PROFILES_VARIABLE: str(tmp_path)}).name == "meditron"


def test_an_unknown_device_lists_the_known_ones(folder: Path) -> None:
    with pytest.raises(ProfileError) as caught:
        load_profile("litmann3200", {PROFILES_VARIABLE: str(folder)})
    assert str(caught.value).startswith(
        "device litmann3200: no such stethoscope; known are akgc417l, littc2se, littmann3200, meditron, thinklabs_one."
    )


@pytest.mark.parametrize("name", ["../profiles/meditron", "", "MEDITRON"])
def test_a_device_is_a_name_and_not_a_path(name: str) -> None:
    with pytest.raises(ProfileError, match="no such stethoscope"):
        load_profile(name, {})


def test_a_folder_of_profiles_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ProfileError, match=rf"^{PROFILES_VARIABLE}=/no/such: no such folder; name one that holds"):
        load_profiles({PROFILES_VARIABLE: "/no/such"})


@pytest.mark.parametrize(("name", "token"), BUILT_IN.items())
def test_an_icbhi_file_name_tells_the_stethoscope(name: str, token: str) -> None:
    assert profile_from_icbhi_token(f"recordings/101_1b1_Al_sc_{token}.wav", {}).name == name
    assert profile_from_icbhi_token(token, {}).name == name


@pytest.mark.parametrize("file_name", ["breath.wav", "101_1b1_Al_sc_Eko.wav", "Meditron_101.flac"])
def test_a_file_name_that_tells_no_stethoscope_is_refused(file_name: str) -> None:
    with pytest.raises(ProfileError) as caught:
        profile_from_icbhi_token(file_name, {})
    assert str(caught.value) == (
        f"{file_name}: the file name does not end in an ICBHI device (AKGC417L, Litt3200, LittC2SE, Meditron); "
        "name the stethoscope with --device"
    )


def changed(**changes: object) -> dict[str, Any]:
    return copy.deepcopy(FIFTH) | changes


def sourced(value: object) -> dict[str, object]:
    return {"value": value, "source": "an example for this test"}


def quality(**changes: object) -> dict[str, Any]:
    return changed(quality=FIFTH["quality"] | changes)


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        (changed(schema=2), "schema must be 1; it is 2"),
        (changed(name="other"), "name must be 'thinklabs_one', as the file is called; it is \"other\""),
        (changed(title=""), 'title must be a text; it is ""'),
        (changed(model=7), "model must be a text; it is 7"),
        (changed(icbhi_token=3), "icbhi_token must be a text or null; it is 3"),
        (changed(connection="line in"), 'connection must be an object with "value" and "source"'),
        (
            changed(native_sample_rates_hz=sourced([])),
            "native_sample_rates_hz must be a list of whole numbers of hertz",
        ),
        (changed(native_sample_rates_hz=sourced([4000.5])), "native_sample_rates_hz must be a list of whole numbers"),
        (changed(acoustic_band_hz=sourced([2000, 20])), "acoustic_band_hz must be [low, high] in hertz"),
        (
            changed(acoustic_band_hz={"value": [20, 2000], "source": " "}),
            'acoustic_band_hz must be an object with "value"',
        ),
        (changed(quality=None), "quality must be an object with clipped_share, silence_level_dbfs; it is null"),
        (quality(silence_level_dbfs=sourced(3)), "quality.silence_level_dbfs must be a number below 0 (0 dBFS is full"),
        (quality(silence_level_dbfs=sourced(float("nan"))), "quality.silence_level_dbfs must be a number below 0"),
        (quality(clipped_share=sourced(True)), "quality.clipped_share must be a share from 0 to 1; it is true"),
        (quality(clipped_share=sourced(1.5)), "quality.clipped_share must be a share from 0 to 1; it is 1.5"),
        (quality(loudness=sourced(1)), "quality: has unknown loudness; a profile says only clipped_share, cough_s"),
        (quality(hum_db=sourced("loud")), 'quality.hum_db must be a number of decibels; it is "loud"'),
        (quality(voice_s=sourced(-1)), "quality.voice_s must be a number of seconds from 0 on; it is -1"),
        (
            quality(speech_db=sourced(30)),
            "quality.speech_db is no longer measured; take it out and give voice_s, in sec",
        ),
        (quality(knock_level_dbfs=sourced(3)), "quality.knock_level_dbfs must be a number below 0 (0 dBFS is full"),
        (quality(dc_share=sourced(-0.1)), "quality.dc_share must be a share from 0 to 1; it is -0.1"),
        (changed(colour="blue"), "has unknown colour; a profile says only"),
        ({"schema": 1, "name": "thinklabs_one"}, "lacks acoustic_band_hz, connection, icbhi_token, model"),
        ([1, 2], "a profile is a JSON object; compare it with one that comes with the program"),
    ],
)
def test_a_wrong_profile_gets_one_line_with_file_key_and_expectation(
    fields: object, complaint: str, tmp_path: Path
) -> None:
    path = write(tmp_path, fields)
    with pytest.raises(ProfileError) as caught:
        read_profile(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: {complaint}")
    assert "\n" not in message


def test_a_profile_that_is_not_json_or_not_there_gets_one_line(tmp_path: Path) -> None:
    (tmp_path / "text.json").write_text("name: meditron")
    with pytest.raises(ProfileError, match=r"text\.json: not JSON \(.*\); compare it with a profile that comes with"):
        read_profile(tmp_path / "text.json")
    with pytest.raises(ProfileError, match=r"none\.json: cannot be read \(No such file or directory\); check the path"):
        read_profile(tmp_path / "none.json")
