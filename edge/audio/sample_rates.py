"""Which sample rates sound may come at."""

MIN_SAMPLE_RATE_HZ = 4000
"""The rate of the features, and of the slowest stethoscope among the ICBHI recordings."""
MAX_SAMPLE_RATE_HZ = 48000
"""The usual highest rate of a sound card; `edge/signal` is specified up to here."""
USUAL_RATES_HZ = (4000, 8000, 11025, 16000, 22050, 32000, 44100, 48000, 88200, 96000, 192000)
"""What sound cards and stethoscopes run at."""
OTHER_RATES_HZ = (48000, 44100, 32000, 16000, 8000)
"""Tried in turn where a card's own rate lies outside what the features are specified for."""
