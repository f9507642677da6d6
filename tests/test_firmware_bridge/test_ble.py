"""Nordic UART over Bluetooth LE, against a stand-in: no radio is here. It has the parts of bleak's interface that are
used, as bleak 3's documentation gives them, on a real event loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from firmware_bridge.errors import BridgeError, TransportError
from firmware_bridge.transports import ble
from firmware_bridge.transports.ble import MAX_HELD_BYTES, NORDIC_UART, BleTransport, require_bleak

URI = "ble://Stetho"
WAIT_S = 5.0
WRITE_BYTES = 20


@dataclass
class Characteristic:
    properties: list[str]
    max_write_without_response_size: int = WRITE_BYTES


@dataclass
class Service:
    characteristics: list[Characteristic]


@dataclass
class Device:
    address: str
    name: str | None


@dataclass
class Advertisement:
    local_name: str | None


@dataclass
class Radio:
    """In bleak's place: one device that is heard, and what happens at it, in order."""

    device: Device = field(default_factory=lambda: Device("AA:BB:CC:DD:EE:FF", None))
    advertised: Advertisement = field(default_factory=lambda: Advertisement("Stetho"))
    service: Service | None = field(
        default_factory=lambda: Service(
            [Characteristic(["write", "write-without-response"]), Characteristic(["notify"])]
        )
    )
    hangs: bool = False
    fails: bool = False
    did: list[str] = field(default_factory=list)
    written: list[bytes] = field(default_factory=list)
    notify: Callable[[Any, bytearray], None] = lambda _, data: None
    loop: asyncio.AbstractEventLoop | None = None
    vanish: Callable[[Any], None] = lambda _: None

    class BleakError(Exception):
        pass

    @property
    def BleakScanner(self) -> Radio:
        return self

    async def find_device_by_filter(self, wanted: Callable[[Any, Any], bool], timeout: float) -> Device | None:
        if self.fails:
            raise self.BleakError("No powered Bluetooth adapters found.")
        return self.device if timeout > 0 and wanted(self.device, self.advertised) else None

    def BleakClient(self, device: Device, disconnected_callback: Callable[[Any], None], timeout: float) -> Radio:
        assert device is self.device
        assert timeout > 0
        self.vanish = disconnected_callback
        return self

    @property
    def services(self) -> Radio:
        return self

    def get_service(self, uuid: str) -> Service | None:
        return self.service if uuid == NORDIC_UART else None

    async def connect(self) -> None:
        self.did.append("connect")

    async def start_notify(self, characteristic: Characteristic, notify: Callable[[Any, bytearray], None]) -> None:
        assert "notify" in characteristic.properties
        self.did.append("notify")
        self.notify, self.loop = notify, asyncio.get_running_loop()

    async def write_gatt_char(self, characteristic: Characteristic, data: bytes, *, response: bool) -> None:
        assert "write-without-response" in characteristic.properties
        assert not response
        if self.hangs:
            await asyncio.sleep(60)
        self.did.append("write")
        self.written.append(data)

    async def disconnect(self) -> None:
        self.did.append("disconnect")

    def send(self, data: bytes) -> None:
        """From the device, in the thread that bleak calls back in."""
        assert self.loop is not None
        self.loop.call_soon_threadsafe(self.notify, None, bytearray(data))


def test_what_is_said_first_is_said_once_notifications_are_on() -> None:
    radio = Radio()
    transport = BleTransport(URI, "stetho", radio)
    transport.write(b"hello")
    transport.close()
    transport.close()
    assert radio.did == ["connect", "notify", "write", "disconnect"]


def test_notifications_are_a_stream_of_bytes() -> None:
    radio = Radio()
    transport = BleTransport(URI, "Stetho", radio)
    radio.send(b"so")
    radio.send(b"und")
    data = b""
    while len(data) < 5:
        data += transport.read(WAIT_S)
    assert data == b"sound"
    assert transport.read(0.01) == b""
    transport.close()


def test_writes_are_cut_to_what_the_connection_takes() -> None:
    radio = Radio()
    transport = BleTransport(URI, "Stetho", radio)
    transport.write(bytes(range(50)))
    transport.close()
    assert [len(piece) for piece in radio.written] == [20, 20, 10]
    assert b"".join(radio.written) == bytes(range(50))


@pytest.mark.parametrize("wanted", ["Stetho", "STETHO", "aa:bb:cc:dd:ee:ff"])
def test_a_device_is_found_by_its_name_or_address(wanted: str) -> None:
    BleTransport(URI, wanted, Radio()).close()


def test_a_device_that_is_not_heard_is_one_clear_line() -> None:
    with pytest.raises(TransportError, match=f"{URI}: no such device is heard"):
        BleTransport(URI, "Other", Radio())


@pytest.mark.parametrize(
    ("service", "said"),
    [
        (None, "has no Nordic UART service"),
        (Service([Characteristic(["notify"])]), "has the property write-without-response"),
        (Service([Characteristic(["write-without-response"])]), "has the property notify"),
    ],
)
def test_a_device_of_another_kind_is_one_clear_line(service: Service | None, said: str) -> None:
    radio = Radio(service=service)
    with pytest.raises(TransportError, match=said):
        BleTransport(URI, "Stetho", radio)
    assert radio.did[-1] == "disconnect"


def test_a_radio_that_is_off_is_one_clear_line() -> None:
    with pytest.raises(TransportError, match=r"cannot connect \(No powered Bluetooth adapters found.\); see whether"):
        BleTransport(URI, "Stetho", Radio(fails=True))


def test_a_device_that_disconnects_is_gone_once_its_last_bytes_are_read() -> None:
    radio = Radio()
    transport = BleTransport(URI, "Stetho", radio)
    radio.send(b"sound")
    assert radio.loop is not None
    radio.loop.call_soon_threadsafe(radio.vanish, None)
    assert transport.read(WAIT_S) == b"sound"
    with pytest.raises(TransportError, match="has disconnected"):
        transport.read(WAIT_S)
    transport.close()


def test_a_device_that_takes_nothing_fails_soon() -> None:
    transport = BleTransport(URI, "Stetho", Radio(hangs=True))
    with pytest.raises(TransportError, match="takes nothing any more"):
        transport.write(b"ping")
    transport.close()


def test_what_nobody_reads_does_not_pile_up() -> None:
    radio = Radio()
    transport = BleTransport(URI, "Stetho", radio)
    for number in range(2 * MAX_HELD_BYTES // 200):
        radio.notify(None, bytearray([number % 256]) * 200)
    data = transport.read(0.0)
    assert MAX_HELD_BYTES - 200 <= len(data) <= MAX_HELD_BYTES
    assert data[-1] == (2 * MAX_HELD_BYTES // 200 - 1) % 256
    transport.close()


def test_without_bleak_one_line_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ble, "find_spec", lambda name: None)
    with pytest.raises(BridgeError, match=r"needs bleak; pip install 'respire-edge\[ble\]'"):
        require_bleak(URI)


def test_bleak_has_what_the_stand_in_has() -> None:
    bleak = pytest.importorskip("bleak")
    assert hasattr(bleak.BleakScanner, "find_device_by_filter")
    for name in ("connect", "disconnect", "start_notify", "write_gatt_char", "services"):
        assert hasattr(bleak.BleakClient, name)
    assert issubclass(bleak.BleakError, Exception)
