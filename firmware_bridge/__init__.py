"""The link to a stethoscope's microcontroller: an empty room today.

It will hold the wire protocol (framing, messages, session) and its serial, TCP and UDP transports, on the standard
library alone. Until then a stethoscope is heard through a sound card or a recording.
"""
