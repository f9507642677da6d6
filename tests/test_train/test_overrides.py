"""`--set` replaces single fields of a recipe and explains what it cannot replace."""

import pytest

from train.errors import ConfigError
from train.overrides import overridden
from train.recipes import compact_half, joint


def test_fields_of_every_part_can_be_replaced() -> None:
    config = overridden(
        joint(),
        [
            "spec.window_s=4",
            "spec.blank_grey_level=0",
            "augmentation.padding=zero",
            "augmentation.noise_snr_db=[5, 20]",
            "optimiser.learning_rate=0.01",
            "datasets.icbhi.device=Litt3200",
            "fine_tuning.epochs=3",
            "workers=0",
        ],
    )
    assert (config.spec.window_s, config.spec.blank_grey_level, config.spec.window_samples) == (4, 0, 16000)
    assert (config.augmentation.padding, config.augmentation.noise_snr_db) == ("zero", (5, 20))
    assert (config.optimiser.learning_rate, config.fine_tuning.epochs, config.workers) == (0.01, 3, 0)
    assert [dataset.device for dataset in config.datasets] == ["Litt3200", ""]


def test_nothing_replaced_is_the_recipe() -> None:
    assert overridden(joint(), []) == joint()


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ("epochs", "give FIELD=VALUE"),
        ("epoch=3", "no field 'epoch'; there is recipe, spec"),
        ("optimiser.rate=3", "no field 'rate'; there is name, learning_rate"),
        ("epochs.first=3", "no field 'first'; there is nothing further"),
        ("epochs=many", "it is 200 now, and 'many' is of another kind"),
        ("epochs=true", "it is 200 now, and 'true' is of another kind"),
        ("spec=compact", "is of another kind"),
        ("spec.window_s=0.01", "shorter than one frame"),
        ("datasets.sprsound.device=Litt3200", "no field 'sprsound'; there is icbhi"),
        ("network.classes=2", "network.classes is 2, the task four_class has 4"),
    ],
)
def test_a_wrong_setting_gets_one_line(setting: str, expected: str) -> None:
    with pytest.raises(ConfigError, match=rf"^--set {setting}: .*{expected}"):
        overridden(compact_half(), [setting])
