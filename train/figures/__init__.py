"""The paper's figures, drawn from an ICBHI folder and from run folders: `python -m train.figures N`."""
