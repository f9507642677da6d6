"""The paper's tables, each with the measured figures beside the printed ones: `python -m train.tables N`."""
