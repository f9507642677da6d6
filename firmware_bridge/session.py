"""Who says what when: the host's side of the handshake (PROTOCOL.md, section 7) as a table, without a port or a clock.

What happened is a trigger; the table says to which phase it leads and what is to be done. `maybe_due` makes triggers
of time that has passed. A trigger that the table does not list in a phase changes nothing.

The page's `ready` takes no time here: a transport is opened with its notifications on, so START follows INFO at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum

from firmware_bridge.messages import MINOR_VERSION, Info

REPEAT_S = 1.0
"""From HELLO to HELLO, START to START, PING to PING."""
SILENCE_S = 2.0
"""After so long without a frame the transport is closed and opened again; after so long without sound, START again."""


class Phase(Enum):
    CLOSED = "closed"
    GREETING = "greeting"
    STARTING = "starting"
    STREAMING = "streaming"
    REFUSED = "refused"
    """The device speaks another major version, or sends what the host does not take; until it is opened again."""


class Trigger(Enum):
    OPENED = "the transport opened"
    INFO = "INFO, the first or of the same boot as before"
    NEW_BOOT = "INFO of another boot"
    NEWER_MINOR = "INFO of a higher minor version, for the first time"
    UNUSABLE = "INFO of sound that the host does not take"
    AUDIO = "AUDIO"
    FOREIGN = "a frame of another major version"
    REPEAT_DUE = "a second has passed since HELLO, START or PING"
    NO_AUDIO = "two seconds without sound, though frames came"
    SILENCE = "two seconds without a frame"
    LOST = "the transport failed"
    CLOSE = "the host ends"


class Action(Enum):
    SAY_HELLO = "send HELLO"
    SAY_START = "send START; the device counts from 0 again"
    SAY_PING = "send PING"
    SAY_STOP = "send STOP"
    TELL_RESTART = "tell that the device has started anew"
    WARN_NEWER = "warn of a higher minor version"
    TAKE_SOUND = "place the samples"
    REFUSE = "say which version, or which sound, and end"
    CLOSE_TRANSPORT = "close the transport"


SAYINGS = (Action.SAY_HELLO, Action.SAY_START, Action.SAY_PING)
"""What is to be said again after `REPEAT_S`."""
Row = tuple[Phase, tuple[Action, ...]]
TABLE: Mapping[tuple[Phase, Trigger], Row] = {
    (Phase.CLOSED, Trigger.OPENED): (Phase.GREETING, (Action.SAY_HELLO,)),
    (Phase.REFUSED, Trigger.OPENED): (Phase.GREETING, (Action.SAY_HELLO,)),
    (Phase.GREETING, Trigger.INFO): (Phase.STARTING, (Action.SAY_START,)),
    (Phase.GREETING, Trigger.NEW_BOOT): (Phase.STARTING, (Action.TELL_RESTART, Action.SAY_START)),
    (Phase.GREETING, Trigger.NEWER_MINOR): (Phase.GREETING, (Action.WARN_NEWER,)),
    (Phase.GREETING, Trigger.UNUSABLE): (Phase.REFUSED, (Action.REFUSE, Action.CLOSE_TRANSPORT)),
    # Only before INFO: later it is damage that the CRC let pass, as the device has shown that it speaks our version.
    (Phase.GREETING, Trigger.FOREIGN): (Phase.REFUSED, (Action.REFUSE, Action.CLOSE_TRANSPORT)),
    (Phase.GREETING, Trigger.REPEAT_DUE): (Phase.GREETING, (Action.SAY_HELLO,)),
    (Phase.GREETING, Trigger.SILENCE): (Phase.CLOSED, (Action.CLOSE_TRANSPORT,)),
    (Phase.GREETING, Trigger.LOST): (Phase.CLOSED, (Action.CLOSE_TRANSPORT,)),
    (Phase.GREETING, Trigger.CLOSE): (Phase.CLOSED, (Action.SAY_STOP, Action.CLOSE_TRANSPORT)),
    (Phase.STARTING, Trigger.NEW_BOOT): (Phase.STARTING, (Action.TELL_RESTART, Action.SAY_START)),
    (Phase.STARTING, Trigger.NEWER_MINOR): (Phase.STARTING, (Action.WARN_NEWER,)),
    (Phase.STARTING, Trigger.UNUSABLE): (Phase.REFUSED, (Action.REFUSE, Action.CLOSE_TRANSPORT)),
    (Phase.STARTING, Trigger.AUDIO): (Phase.STREAMING, (Action.TAKE_SOUND,)),
    (Phase.STARTING, Trigger.REPEAT_DUE): (Phase.STARTING, (Action.SAY_START, Action.SAY_PING)),
    (Phase.STARTING, Trigger.SILENCE): (Phase.CLOSED, (Action.CLOSE_TRANSPORT,)),
    (Phase.STARTING, Trigger.LOST): (Phase.CLOSED, (Action.CLOSE_TRANSPORT,)),
    (Phase.STARTING, Trigger.CLOSE): (Phase.CLOSED, (Action.SAY_STOP, Action.CLOSE_TRANSPORT)),
    (Phase.STREAMING, Trigger.NEW_BOOT): (Phase.STARTING, (Action.TELL_RESTART, Action.SAY_START)),
    (Phase.STREAMING, Trigger.NEWER_MINOR): (Phase.STREAMING, (Action.WARN_NEWER,)),
    (Phase.STREAMING, Trigger.UNUSABLE): (Phase.REFUSED, (Action.REFUSE, Action.CLOSE_TRANSPORT)),
    (Phase.STREAMING, Trigger.AUDIO): (Phase.STREAMING, (Action.TAKE_SOUND,)),
    (Phase.STREAMING, Trigger.REPEAT_DUE): (Phase.STREAMING, (Action.SAY_PING,)),
    (Phase.STREAMING, Trigger.NO_AUDIO): (Phase.STARTING, (Action.SAY_START,)),
    (Phase.STREAMING, Trigger.SILENCE): (Phase.CLOSED, (Action.CLOSE_TRANSPORT,)),
    (Phase.STREAMING, Trigger.LOST): (Phase.CLOSED, (Action.CLOSE_TRANSPORT,)),
    (Phase.STREAMING, Trigger.CLOSE): (Phase.CLOSED, (Action.SAY_STOP, Action.CLOSE_TRANSPORT)),
}


@dataclass(frozen=True)
class Session:
    """Where the talk with a device stands; the same from one opening of the transport to the next."""

    phase: Phase = Phase.CLOSED
    boot_id: int | None = None
    """Of the latest INFO."""
    warned_of_newer: bool = False
    heard_s: float = 0.0
    """When the latest frame came, or the transport opened."""
    sound_s: float = 0.0
    """When the latest sound came, or START was said."""
    said_s: float = 0.0
    """When HELLO, START or PING was said last."""


def step(session: Session, trigger: Trigger, now_s: float) -> tuple[Session, tuple[Action, ...]]:
    """The session after `trigger`, and what is to be done, in this order."""
    row = TABLE.get((session.phase, trigger))
    if row is None:
        return session, ()
    phase, actions = row
    # Built anew, not replaced in part, as this happens with each frame of sound.
    return Session(
        phase,
        session.boot_id,
        session.warned_of_newer or Action.WARN_NEWER in actions,
        now_s if trigger is Trigger.OPENED else session.heard_s,
        now_s if Action.TAKE_SOUND in actions or Action.SAY_START in actions else session.sound_s,
        now_s if any(action in SAYINGS for action in actions) else session.said_s,
    ), actions


def heard(session: Session, now_s: float) -> Session:
    """The session after a frame of any kind, in our version."""
    return Session(session.phase, session.boot_id, session.warned_of_newer, now_s, session.sound_s, session.said_s)


def greeted(session: Session, info: Info, *, usable: bool) -> tuple[Session, tuple[Trigger, ...]]:
    """The session that knows `info`, and what to step through; `usable`: the host takes such sound."""
    if not usable:
        return session, (Trigger.UNUSABLE,)
    newer = info.minor_version > MINOR_VERSION and not session.warned_of_newer
    known = Trigger.INFO if session.boot_id in (None, info.boot_id) else Trigger.NEW_BOOT
    return replace(session, boot_id=info.boot_id), ((Trigger.NEWER_MINOR,) if newer else ()) + (known,)


def maybe_due(session: Session, now_s: float) -> Trigger | None:
    """What the passing of time triggers now; step through it, and ask again next time."""
    if session.phase in (Phase.CLOSED, Phase.REFUSED):
        return None
    if now_s - session.heard_s >= SILENCE_S:
        return Trigger.SILENCE
    if session.phase is Phase.STREAMING and now_s - session.sound_s >= SILENCE_S:
        return Trigger.NO_AUDIO
    return Trigger.REPEAT_DUE if now_s - session.said_s >= REPEAT_S else None
