"""The handshake: each row of the table, nothing beside it, and the time that it waits for."""

from __future__ import annotations

from dataclasses import replace

import pytest

from firmware_bridge.messages import Info
from firmware_bridge.session import Action, Phase, Session, Trigger, greeted, heard, maybe_due, step

INFO = Info(boot_id=7, rate_numerator_hz=4000)

# Written from PROTOCOL.md, sections 7 and 8, a second time: a changed row must be changed in both places.
EXPECTED = """
closed    OPENED      greeting  SAY_HELLO
refused   OPENED      greeting  SAY_HELLO
greeting  INFO        starting  SAY_START
greeting  NEW_BOOT    starting  TELL_RESTART SAY_START
greeting  NEWER_MINOR greeting  WARN_NEWER
greeting  UNUSABLE    refused   REFUSE CLOSE_TRANSPORT
greeting  FOREIGN     refused   REFUSE CLOSE_TRANSPORT
greeting  REPEAT_DUE  greeting  SAY_HELLO
greeting  SILENCE     closed    CLOSE_TRANSPORT
greeting  LOST        closed    CLOSE_TRANSPORT
greeting  CLOSE       closed    SAY_STOP CLOSE_TRANSPORT
starting  NEW_BOOT    starting  TELL_RESTART SAY_START
starting  NEWER_MINOR starting  WARN_NEWER
starting  UNUSABLE    refused   REFUSE CLOSE_TRANSPORT
starting  AUDIO       streaming TAKE_SOUND
starting  REPEAT_DUE  starting  SAY_START SAY_PING
starting  SILENCE     closed    CLOSE_TRANSPORT
starting  LOST        closed    CLOSE_TRANSPORT
starting  CLOSE       closed    SAY_STOP CLOSE_TRANSPORT
streaming NEW_BOOT    starting  TELL_RESTART SAY_START
streaming NEWER_MINOR streaming WARN_NEWER
streaming UNUSABLE    refused   REFUSE CLOSE_TRANSPORT
streaming AUDIO       streaming TAKE_SOUND
streaming REPEAT_DUE  streaming SAY_PING
streaming NO_AUDIO    starting  SAY_START
streaming SILENCE     closed    CLOSE_TRANSPORT
streaming LOST        closed    CLOSE_TRANSPORT
streaming CLOSE       closed    SAY_STOP CLOSE_TRANSPORT
"""
ROWS = [line.split() for line in EXPECTED.strip().splitlines()]
LISTED = {(Phase(phase), Trigger[trigger]) for phase, trigger, *_ in ROWS}
OTHERS = [(phase, trigger) for phase in Phase for trigger in Trigger if (phase, trigger) not in LISTED]


@pytest.mark.parametrize("row", ROWS, ids=[f"{row[0]} and {Trigger[row[1]].value}" for row in ROWS])
def test_each_trigger_leads_where_the_page_says(row: list[str]) -> None:
    phase, trigger, following, *actions = row
    session, done = step(Session(Phase(phase), boot_id=7), Trigger[trigger], 10.0)
    assert session.phase == Phase(following)
    assert [action.name for action in done] == actions
    assert session.boot_id == 7


@pytest.mark.parametrize(("phase", "trigger"), OTHERS, ids=[f"{p.value} and {t.value}" for p, t in OTHERS])
def test_every_other_trigger_changes_nothing(phase: Phase, trigger: Trigger) -> None:
    session = Session(phase, boot_id=7, heard_s=1, sound_s=2, said_s=3)
    assert step(session, trigger, 10.0) == (session, ())


def after(*triggers: Trigger, now_s: float = 0.0) -> Session:
    session = Session()
    for trigger in triggers:
        session, _ = step(session, trigger, now_s)
    return session


GREETING = after(Trigger.OPENED)
STARTING = after(Trigger.OPENED, Trigger.INFO)
STREAMING = after(Trigger.OPENED, Trigger.INFO, Trigger.AUDIO)


@pytest.mark.parametrize("session", [GREETING, STARTING, STREAMING], ids=lambda each: each.phase.value)
def test_a_second_after_the_last_word_it_is_due_again(session: Session) -> None:
    assert maybe_due(session, 0.99) is None
    assert maybe_due(session, 1.0) is Trigger.REPEAT_DUE
    again, actions = step(session, Trigger.REPEAT_DUE, 1.0)
    assert actions
    assert maybe_due(heard(again, 1.5), 1.99) is None
    assert maybe_due(heard(again, 1.5), 2.0) in (Trigger.REPEAT_DUE, Trigger.NO_AUDIO)


@pytest.mark.parametrize("session", [GREETING, STARTING, STREAMING], ids=lambda each: each.phase.value)
def test_two_seconds_without_a_frame_close_the_transport(session: Session) -> None:
    later = heard(session, 5.0)
    assert maybe_due(later, 6.99) is not Trigger.SILENCE
    assert maybe_due(later, 7.0) is Trigger.SILENCE


def test_a_transport_that_just_opened_gets_its_two_seconds() -> None:
    session, _ = step(replace(STREAMING, phase=Phase.CLOSED), Trigger.OPENED, 100.0)
    assert maybe_due(session, 100.5) is None


def test_a_device_that_says_something_but_sends_no_sound_is_told_to_start_again() -> None:
    talking = replace(heard(STREAMING, 1.9), said_s=1.9)
    assert maybe_due(talking, 1.99) is None
    assert maybe_due(talking, 2.0) is Trigger.NO_AUDIO


@pytest.mark.parametrize("phase", [Phase.CLOSED, Phase.REFUSED])
def test_nothing_is_due_where_no_transport_is_open(phase: Phase) -> None:
    assert maybe_due(Session(phase), 1e9) is None


def test_the_first_info_is_no_restart() -> None:
    session, triggers = greeted(GREETING, INFO, usable=True)
    assert triggers == (Trigger.INFO,)
    assert session.boot_id == 7


def test_the_same_boot_id_is_no_restart_and_another_one_is() -> None:
    session, _ = greeted(GREETING, INFO, usable=True)
    assert greeted(session, INFO, usable=True)[1] == (Trigger.INFO,)
    session, triggers = greeted(session, replace(INFO, boot_id=8), usable=True)
    assert triggers == (Trigger.NEW_BOOT,)
    assert greeted(session, replace(INFO, boot_id=8), usable=True)[1] == (Trigger.INFO,)


def test_a_restart_is_known_across_a_closed_transport() -> None:
    session, _ = greeted(STREAMING, INFO, usable=True)
    session, _ = step(session, Trigger.SILENCE, 5.0)
    session, _ = step(session, Trigger.OPENED, 6.0)
    assert greeted(session, replace(INFO, boot_id=8), usable=True)[1] == (Trigger.NEW_BOOT,)


def test_a_higher_minor_version_is_warned_of_once_and_goes_on() -> None:
    newer = replace(INFO, minor_version=3)
    session, triggers = greeted(GREETING, newer, usable=True)
    assert triggers == (Trigger.NEWER_MINOR, Trigger.INFO)
    done: list[Action] = []
    for trigger in triggers:
        session, actions = step(session, trigger, 1.0)
        done += actions
    assert done == [Action.WARN_NEWER, Action.SAY_START]
    assert greeted(session, newer, usable=True)[1] == (Trigger.INFO,)


def test_sound_that_the_host_does_not_take_leads_to_a_refusal_and_is_not_remembered() -> None:
    session, triggers = greeted(GREETING, INFO, usable=False)
    assert triggers == (Trigger.UNUSABLE,)
    assert session.boot_id is None
