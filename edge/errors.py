"""What can go wrong on the device side, as one tree.

```
EdgeError
 ├─ InputError               one input cannot be scored; the rest of the work goes on (exit code 1)
 │   ├─ RecordingError       a WAV/FLAC file cannot be read as sound
 │   └─ AnnotationError      the cycle annotations beside a recording cannot be read
 └─ SetupError               the run cannot start or go on (exit code 2)
     ├─ UsageError           the command line asks for something that does not exist
     ├─ ProfileError         a stethoscope profile is unknown or wrong
     ├─ AudioDeviceError     a sound card or the sound library is missing, refuses or stopped delivering
     ├─ BundleError          a model bundle is missing, changed or made for other features
     ├─ EngineError          no engine can run the bundle here
     └─ OutputError          results cannot be written
```

Every message is one line that says what, where and what to do: `/data/a.wav: not a WAV or FLAC file; convert it, for
example with ffmpeg`.
"""


class EdgeError(Exception):
    """Anything that a person can mend; its text is shown as it is, without a traceback."""


class InputError(EdgeError):
    """One input cannot be scored."""


class RecordingError(InputError):
    """A file cannot be read as a sound recording."""


class AnnotationError(InputError):
    """The annotations beside a recording are missing or cannot be read."""


class SetupError(EdgeError):
    """The run cannot start or go on."""


class UsageError(SetupError):
    """The command line asks for something that does not exist."""


class ProfileError(SetupError):
    """A stethoscope profile is unknown, or its file is wrong."""


class AudioDeviceError(SetupError):
    """A sound card or the sound library is missing, refuses, or stopped delivering."""


class BundleError(SetupError):
    """A model bundle is missing, changed, or made for other features."""


class EngineError(SetupError):
    """No engine can run the bundle on this machine, or it failed while running."""


class OutputError(SetupError):
    """Results cannot be written where they were asked for."""


def one_line(text: str) -> str:
    """`text` with everything escaped that would end its line or that a terminal would obey, as file names may hold."""
    return "".join(map(_visible, text))


def _visible(character: str) -> str:
    if character.isprintable():
        return character
    if "\udc80" <= character <= "\udcff":  # a byte that is no UTF-8, as Python names it (PEP 383)
        return f"\\x{ord(character) - 0xDC00:02x}"
    return character.encode("unicode_escape").decode("ascii")
