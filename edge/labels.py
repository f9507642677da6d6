"""The four classes of a breath sound, in the one order that every array, file and table uses."""

from typing import Final

LABELS: Final = ("normal", "crackle", "wheeze", "both")
