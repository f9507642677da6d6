"""Opening what a person named, for the commands that look at a link."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from edge.audio.source import REORDER_FRAMES
from edge.bridging.watched_link import WatchedLink
from edge.errors import AudioDeviceError, UsageError
from firmware_bridge.errors import BridgeError
from firmware_bridge.link import Link
from firmware_bridge.transports.opening import Way, way_from_uri
from firmware_bridge.transports.transport import Transport


@contextmanager
def watched(uri: str, tapped: Callable[[Transport], Transport] | None = None) -> Iterator[WatchedLink]:
    """The link at `uri`, closed at the end; `tapped` may put something between.

    Raises UsageError for what is no way to a device, and AudioDeviceError where trying again is of no use.
    """
    way = _way(uri)

    def opening() -> Transport:
        transport = way.open()
        try:
            return transport if tapped is None else tapped(transport)
        except OSError:
            transport.close()
            raise

    link = Link(uri, opening, way.clock, REORDER_FRAMES if way.reorders else 0)
    try:
        yield WatchedLink(link, way.clock, way.sleep)
    except BridgeError as error:
        raise AudioDeviceError(str(error)) from error
    finally:
        link.close()


def _way(uri: str) -> Way:
    try:
        return way_from_uri(uri, clock=time.monotonic, sleep=time.sleep)
    except BridgeError as error:
        raise UsageError(str(error)) from error
