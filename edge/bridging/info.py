"""`respire-edge bridge info`: what a device says of itself."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping
from typing import TextIO

from edge.bridging.opened import watched
from edge.errors import AudioDeviceError
from edge.view.terminal import shown_text
from firmware_bridge.messages import Codec, Info

ANSWER_S = 10.0
"""A board may start anew when its port is opened; one that connects by itself tries once in a while."""


def info(uri: str, *, as_json: bool, out: TextIO | None = None) -> int:
    """Write a table, or one JSON object. Returns 0; raises UsageError, and AudioDeviceError where nothing answers."""
    out = out or sys.stdout
    with watched(uri) as link:
        end_s = time.monotonic() + ANSWER_S
        while link.link.info is None:
            if time.monotonic() >= end_s or link.is_over:
                raise AudioDeviceError(link.failure or f"{uri}: no device has answered in {ANSWER_S:g} s")
            link.turn()
        fields = fields_from_info(link.link.info)
    if as_json:
        out.write(json.dumps(fields) + "\n")
    else:
        width = max(map(len, fields))
        out.writelines(f"{name:{width}}  {shown_text(str(value), out.encoding)}\n" for name, value in fields.items())
    return 0


def fields_from_info(device: Info) -> Mapping[str, str | int | float]:
    """What a person may want to know. The device's id is left out: it stays with who has the device in his hands."""
    codecs = [Codec(each).name if each in list(Codec) else str(each) for each in device.codecs]
    return {
        "model": device.model,
        "firmware": device.firmware,
        "protocol": f"1.{device.minor_version}",
        "sample_rate_hz": device.sample_rate_hz,
        "channels": device.channels,
        "bits": device.bits,
        "codecs": ", ".join(codecs),
        "filter": device.filter,
        "gain_db": device.gain_centibel / 100,
        "max_payload_bytes": device.max_payload_bytes,
    }
