"""The sound inputs that this machine has now."""

from __future__ import annotations

from edge.audio.audio_input import AudioInput, input_from_fields
from edge.audio.capture_messages import Failed, Listed
from edge.audio.capture_process import ANSWER_S, CaptureProcess, no_answer
from edge.errors import AudioDeviceError


def list_inputs(*, try_rates: bool = False) -> list[AudioInput]:
    """Every input, in PortAudio's order; `try_rates`: also asked which of the usual rates it accepts.

    Raises AudioDeviceError where PortAudio is missing, fails or does not answer.
    """
    process = CaptureProcess("list", try_rates=try_rates)
    try:
        answer = process.receive(ANSWER_S)
    finally:
        process.close()
    if isinstance(answer, Listed):
        return [input_from_fields(fields) for fields in answer.inputs]
    raise AudioDeviceError(answer.reason if isinstance(answer, Failed) else no_answer(ANSWER_S))
