"""Samples to feature image, in NumPy only: the one definition that training, calibration, scoring and listening
share.
"""
