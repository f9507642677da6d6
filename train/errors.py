"""What can go wrong in training, each message saying what, where and what to do.

TrainError
├── DatasetError      a folder or file is not what the reader expects
├── SplitError        a split cannot be made, or would put a patient on both sides
│   └── AbsentClassError   the training side lacks a class
├── ConfigError       a recipe, option or combination that cannot work
├── DivergenceError   the loss is no longer a number
├── CheckpointError   a checkpoint or run folder that cannot be read or does not fit
└── AnswersError      a file of answers that cannot be read, or is of other cycles
"""

from __future__ import annotations


class TrainError(Exception):
    """Base of every error that a user of `train` can cause and mend."""


class DatasetError(TrainError):
    """A folder or file is not what the reader expects."""


class SplitError(TrainError):
    """A split cannot be made as asked."""


class AbsentClassError(SplitError):
    """The training side has no cycle of a class that the network is to tell."""


class ConfigError(TrainError):
    """A recipe, option or combination that cannot work."""


class DivergenceError(TrainError):
    """The loss is no longer a number."""


class CheckpointError(TrainError):
    """A checkpoint or run folder that cannot be read or does not fit."""


class AnswersError(TrainError):
    """A file of answers that cannot be read, or is of other cycles than the one it is compared with."""
