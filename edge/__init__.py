"""respire-edge: classifies breath sounds beside a digital stethoscope, on a small computer, without a network.

Research use only: this is not a medical device.
"""
