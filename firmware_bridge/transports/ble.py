"""A device on Bluetooth LE that offers the Nordic UART service (bleak).

bleak is asynchronous: it runs in a thread of its own, which lives as long as the connection.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Coroutine
from contextlib import suppress
from importlib.util import find_spec
from typing import Any, TypeVar

from firmware_bridge.errors import BridgeError, TransportError
from firmware_bridge.transports.transport import Transport

NORDIC_UART = "6e400001-b5a3-f393-e0a9-e50e24dcca9e"
"""Nordic Semiconductor, nRF Connect SDK: Nordic UART Service (NUS)."""
SCAN_S = 6.0
CONNECT_S = 10.0
WRITE_S = 0.5
CLOSE_S = 2.0
MAX_HELD_BYTES = 1 << 18
"""Of what nobody has read: half a minute at 4 kHz; then the oldest goes, as on a serial port."""

Answer = TypeVar("Answer")


class BleTransport(Transport):
    """One connection. It is open once notifications are on, so that what is said first is answered audibly."""

    def __init__(self, name: str, wanted: str, library: Any = None) -> None:
        """`wanted`: the device's name or address; `library`: bleak, or what stands in for it. Raises TransportError."""
        self.name = name
        self._library = library or _bleak(name)
        self._arrived: deque[bytes] = deque()
        self._held_bytes = 0
        self._something = threading.Condition()
        self._is_gone = False
        self._client: Any = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="ble", daemon=True)
        self._thread.start()
        try:
            self._wait_for(self._connect(wanted), SCAN_S + CONNECT_S, "cannot connect")
        except BaseException:
            self.close()
            raise

    def read(self, timeout_s: float) -> bytes:
        with self._something:
            self._something.wait_for(lambda: self._arrived or self._is_gone, timeout_s)
            if self._is_gone and not self._arrived:
                raise TransportError(f"{self.name}: the device has disconnected; see whether it is on and near")
            data = b"".join(self._arrived)
            self._arrived.clear()
            self._held_bytes = 0
        return data

    def write(self, data: bytes) -> None:
        self._wait_for(self._send(data), WRITE_S, "the device takes nothing any more")

    def close(self) -> None:
        if self._loop.is_closed():
            return
        if self._client is not None:
            with suppress(TransportError):  # it is gone then
                self._wait_for(self._client.disconnect(), CLOSE_S, "cannot disconnect")
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _connect(self, wanted: str) -> None:
        device = await self._library.BleakScanner.find_device_by_filter(
            lambda device, advertised: _is_wanted(wanted, device, advertised), timeout=SCAN_S
        )
        if device is None:
            raise TransportError(f"{self.name}: no such device is heard; see whether it is on, near and not connected")
        self._client = self._library.BleakClient(device, disconnected_callback=self._take_end, timeout=CONNECT_S)
        await self._client.connect()
        service = self._client.services.get_service(NORDIC_UART)
        if service is None:
            raise TransportError(f"{self.name}: the device has no Nordic UART service ({NORDIC_UART})")
        # By what they can do: firmware differs in which of the two it calls TX.
        from_device = self._characteristic(service, "notify")
        self._to_device = self._characteristic(service, "write-without-response")
        await self._client.start_notify(from_device, self._take)

    async def _send(self, data: bytes) -> None:
        size = self._to_device.max_write_without_response_size
        for start in range(0, len(data), size):
            await self._client.write_gatt_char(self._to_device, data[start : start + size], response=False)

    def _characteristic(self, service: Any, able: str) -> Any:
        for characteristic in service.characteristics:
            if able in characteristic.properties:
                return characteristic
        raise TransportError(f"{self.name}: nothing in the device's Nordic UART service has the property {able}")

    def _take(self, _: Any, data: bytearray) -> None:
        with self._something:
            self._arrived.append(bytes(data))
            self._held_bytes += len(data)
            while self._held_bytes > MAX_HELD_BYTES:
                self._held_bytes -= len(self._arrived.popleft())
            self._something.notify()

    def _take_end(self, _: Any) -> None:
        with self._something:
            self._is_gone = True
            self._something.notify()

    def _wait_for(self, coroutine: Coroutine[Any, Any, Answer], timeout_s: float, what: str) -> Answer:
        future = asyncio.run_coroutine_threadsafe(asyncio.wait_for(coroutine, timeout_s), self._loop)
        try:
            return future.result()
        except (OSError, EOFError, TimeoutError, asyncio.TimeoutError, self._library.BleakError) as error:
            reason = str(error) or f"no answer within {timeout_s:g} s"
            raise TransportError(f"{self.name}: {what} ({reason}); see whether Bluetooth is on") from error


def require_bleak(name: str) -> None:
    """Raises BridgeError where it is not installed."""
    if find_spec("bleak") is None:
        raise BridgeError(f"{name}: Bluetooth needs bleak; pip install 'respire-edge[ble]'")


def _bleak(name: str) -> Any:
    require_bleak(name)
    import bleak

    return bleak


def _is_wanted(wanted: str, device: Any, advertised: Any) -> bool:
    names = {device.address.casefold(), (advertised.local_name or device.name or "").casefold()}
    return wanted.casefold() in names
