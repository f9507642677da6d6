"""The record of what shapes an image: its shapes, its fingerprint, what it refuses."""

from __future__ import annotations

import dataclasses

import pytest

from edge.signal.spec import ADDED_FIELDS, COMPACT, RESPIRENET, FeatureSpec


def test_the_shapes_are_the_papers() -> None:
    assert COMPACT.window_samples == 28_000
    assert COMPACT.image_shape == (1, 64, 219)
    assert RESPIRENET.image_shape == (3, 192, 657)


def test_dict_round_trip_keeps_the_fingerprint() -> None:
    assert FeatureSpec.from_dict(COMPACT.to_dict()) == COMPACT
    assert FeatureSpec.from_dict(COMPACT.to_dict()).fingerprint() == COMPACT.fingerprint()


@pytest.mark.parametrize("field", [field.name for field in dataclasses.fields(FeatureSpec) if field.name != "name"])
def test_every_field_but_the_name_changes_the_fingerprint(field: str) -> None:
    value = getattr(COMPACT, field)
    others = {"layout": "colour", "mel_scale": "kaldi", "preemphasis": 0.5}
    number = value * 0.75 if isinstance(value, float) else f"{value}" if isinstance(value, str) else value + 1
    changed = others.get(field, number)
    assert FeatureSpec.from_dict(COMPACT.to_dict() | {field: changed}).fingerprint() != COMPACT.fingerprint()


def test_the_name_does_not_change_the_fingerprint() -> None:
    assert dataclasses.replace(COMPACT, name="other").fingerprint() == COMPACT.fingerprint()


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("layout", "grey", "layout is 'grey'"),
        ("bandpass_high_hz", 2000.0, "band-pass 50.0-2000.0 Hz"),
        ("mel_high_hz", 2001.0, "mel band"),
        ("window_s", 0.01, "shorter than one frame"),
    ],
)
def test_impossible_values_are_refused_by_name(field: str, value: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        FeatureSpec.from_dict({**COMPACT.to_dict(), field: value})


def test_unknown_and_missing_fields_are_named() -> None:
    fields = COMPACT.to_dict()
    del fields["n_mels"]
    with pytest.raises(ValueError, match=r"unknown fields \['colour'\] and lacks \['n_mels'\]"):
        FeatureSpec.from_dict({**fields, "colour": 1})


@pytest.mark.parametrize("field", sorted(ADDED_FIELDS))
def test_a_spec_from_before_a_field_was_added_keeps_its_fingerprint(field: str) -> None:
    older = {name: value for name, value in COMPACT.to_dict().items() if name != field}
    assert FeatureSpec.from_dict(older) == COMPACT
    assert FeatureSpec.from_dict(older).fingerprint() == COMPACT.fingerprint() == "941527c8be6b5529"
