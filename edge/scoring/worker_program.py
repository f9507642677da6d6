"""The program of a process that scores recordings for another one, which says which and takes what comes of them.

They talk over a pair of sockets that keeps messages apart, in JSON. The first message names bundle, engine and
operating point of each stethoscope; every later one is a task, and comes with a file for the task's records. The
answers: an empty object once the engines are open, the FileScore of each task, or, as `setup_error`, why the run
cannot go on.
"""

from __future__ import annotations

import json
import os
import select
import socket
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path
from typing import Any

from edge.bundle import load_bundle
from edge.engine.engine import open_engine
from edge.errors import SetupError
from edge.operating_point import chosen_point
from edge.pipeline import Classifier
from edge.profiles import load_profile
from edge.scoring.scored_file import StoppedScoring, Task, score_file

MAX_MESSAGE_BYTES = 1 << 17
"""A long path and a count of each verdict take a few thousand."""


def start_message(classifiers: Mapping[str, Classifier]) -> dict[str, Any]:
    """What a worker must know to open the same."""
    return {
        name: {
            "bundle": str(classifier.bundle.folder.resolve()),
            "engine": _engine_kind(classifier),
            "operating_point": classifier.operating_point and classifier.operating_point.name,
        }
        for name, classifier in classifiers.items()
    }


def task_message(task: Task) -> dict[str, Any]:
    """A task, as the message that it is sent in."""
    device = None if task.classifier is None else task.classifier.profile.name
    return {"file": str(task.file), "device": device, "hop_s": task.hop_s, "cycles": task.cycles, "error": task.error}


def main(arguments: Sequence[str]) -> int:
    """Work until the other side is gone; `arguments` is the socket's descriptor."""
    # The other side may be killed at any time; there is nobody left to tell then.
    with (
        socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET, fileno=int(arguments[0])) as connection,
        suppress(ConnectionError, StoppedScoring),
    ):
        try:
            _work(connection)
        except SetupError as error:
            _send(connection, {"setup_error": str(error)})
    return 0


def _work(connection: socket.socket) -> None:
    with ExitStack() as opened:
        classifiers = _open_classifiers(json.loads(connection.recv(MAX_MESSAGE_BYTES)), opened)
        _send(connection, {})
        while True:
            message, descriptors, _, _ = socket.recv_fds(connection, MAX_MESSAGE_BYTES, 1)
            if not message:
                return
            with os.fdopen(descriptors[0], "r+b") as records:
                task = _task_from_message(json.loads(message), classifiers)
                score = score_file(task, records, partial(_is_left_alone, connection))
            _send(connection, score.to_dict())


def _open_classifiers(start: Mapping[str, Mapping[str, Any]], opened: ExitStack) -> dict[str, Classifier]:
    classifiers: dict[str, Classifier] = {}
    engines = {}
    for name, choice in start.items():
        bundle = load_bundle(Path(choice["bundle"]))
        if bundle.folder not in engines:
            engines[bundle.folder] = opened.enter_context(open_engine(bundle, choice["engine"]))
        point = chosen_point(bundle.operating_points, choice["operating_point"], bundle.model_id)
        classifiers[name] = Classifier(load_profile(name), bundle, engines[bundle.folder], operating_point=point)
    return classifiers


def _task_from_message(message: Mapping[str, Any], classifiers: Mapping[str, Classifier]) -> Task:
    classifier = None if message["device"] is None else classifiers[message["device"]]
    return Task(Path(message["file"]), classifier, message["hop_s"], message["cycles"], message["error"])


def _engine_kind(classifier: Classifier) -> str:
    return "tensorrt" if classifier.engine.name.startswith("tensorrt") else "onnx"


def _is_left_alone(connection: socket.socket) -> bool:
    """Nothing is sent to a worker before it has answered: what there is to read is the end."""
    poll = select.poll()
    poll.register(connection, select.POLLIN)
    return bool(poll.poll(0))


def _send(connection: socket.socket, message: Mapping[str, Any]) -> None:
    connection.sendall(json.dumps(message).encode())


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
