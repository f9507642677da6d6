"""What can go wrong on the way to and from a stethoscope, as one tree; every message says what, where, what to do."""


class BridgeError(Exception):
    """Anything that a person can mend; its text is shown as it is, without a traceback."""


class TransportError(BridgeError):
    """A port, socket, radio or capture file cannot be opened, or failed."""


class CaptureEnded(TransportError):
    """A capture file was played to its end."""


class ProtocolError(BridgeError):
    """The device cannot be understood: another major version, or sound before it has said what it sends."""


class SoundChangedError(ProtocolError):
    """The device sends at another rate than before, which what was built for the first cannot take."""
