"""A simulated device at its end of a transport, kept going by a clock."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from itertools import count

from firmware_bridge.device_ends import DeviceEnd
from firmware_bridge.impairments import Way
from firmware_bridge.simulator import SimulatedDevice

TURN_S = 0.005


def simulate(
    device: SimulatedDevice, end: DeviceEnd, way: Way, clock: Callable[[], float], sleep: Callable[[float], None]
) -> Iterator[None]:
    """Let the device live, a turn at a time, until its recording is over and everything has gone its way."""
    under_way: list[tuple[float, int, bytes]] = []
    turn = count()
    while not device.is_over or under_way:
        now_s = clock()
        device.take(end.receive(), now_s)
        sent = device.due(now_s)
        for parcel in way.carry(sent) + (way.finish(now_s) if device.is_over else []):
            heapq.heappush(under_way, (parcel.time_s, next(turn), parcel.data))
        while under_way and under_way[0][0] <= now_s:
            device.unsent_frames += not end.send(heapq.heappop(under_way)[2])
        yield
        sleep(TURN_S)
