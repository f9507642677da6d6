"""What a rehearsed image must do: classify, tell its health and end on request, locked in as in compose.yaml."""

from __future__ import annotations

import json
import re
import signal
import stat
import subprocess
import time
from pathlib import Path

from tools.dockerfile import Stage
from tools.rehearsal_root import CONTAINED, RehearsalError, Root

REPOSITORY = Path(__file__).resolve().parent.parent
USER_ID = "10001"
STATE = "/var/lib/respire-edge"
RUN_TIMEOUT_S = 300
OF_THE_ENVIRONMENT = ("pip", "setuptools", "respire-edge")
STOP_S = 1.0
"""From SIGTERM to the end, as promised for every `listen`."""
MAKE_SOUND = """
import random, wave
with wave.open('recordings/breath.wav', 'wb') as file:
    file.setnchannels(1); file.setsampwidth(2); file.setframerate(4000)
    file.writeframes(b''.join(random.randint(-3000, 3000).to_bytes(2, 'little', signed=True) for _ in range(60000)))
"""


def check_use(stage: Stage, root: Root) -> None:
    """Raises RehearsalError saying what the image does not do."""
    check_versions(root)
    lock_in(root)
    python = "/opt/respire-edge/bin/python"
    for refused in (f"open('{STATE}/x', 'w')", "open('/opt/respire-edge/x', 'w')", "open('/etc/x', 'w')"):
        contained(root, [python, "-c", refused], "write where nothing may be written", codes={1})
    contained(root, [python, "-c", "import socket; socket.create_connection(('10.0.0.1', 80), 2)"], "connect", {1})
    contained(root, [python, "-c", MAKE_SOUND], "make a recording")
    listen = ["respire-edge", "listen", "--device=littmann3200", "--source=demo", f"--output={STATE}/results"]
    contained(root, [*listen, "--no-realtime"], "listen")
    score = ["respire-edge", "score", "recordings", "--device=littmann3200", "--output=results/score.jsonl"]
    contained(root, score, "score")
    check_results(root)
    check_health_and_end(stage, root, listen)
    check_doctor(root)
    print("used     listen, score, health, SIGTERM and doctor as the image's user, read-only and without a network")


def check_versions(root: Root) -> None:
    """Of each package in the environment: the pinned one, whatever this machine has."""
    pins = re.findall(
        r"^([\w.-]+)={2,3}([^\s;]+)", _requirements("constraints.txt") + _requirements("jetson.txt"), re.M
    )
    pinned = {(_normal(name), version) for name, version in pins}
    lines = root.run(["/opt/respire-edge/bin/pip", "list", "--local", "--format=freeze"], "list packages").splitlines()
    installed = [line.split("==") for line in lines if "==" in line]
    ours = [(_normal(name), version) for name, version in installed if _normal(name) not in OF_THE_ENVIRONMENT]
    if strangers := [pair for pair in ours if pair not in pinned]:
        raise RehearsalError(f"packages that are not pinned: {strangers}")
    print(f"checked  {len(ours)} packages: {', '.join(f'{name} {version}' for name, version in ours)}")


def lock_in(root: Root) -> None:
    """As compose.yaml has it: nothing may be written but volumes and what lies in memory."""
    for name in ("engines", "results", "recordings"):
        root.mount_memory(f"{STATE}/{name}", USER_ID, "0700")
    root.make_folder_in_memory("/run/respire-edge", int(USER_ID))
    root.make_read_only()


def contained(root: Root, argv: list[str], what: str, codes: frozenset[int] | set[int] = frozenset({0})) -> str:
    """Run without a network. Returns standard output; raises RehearsalError where another code comes back."""
    outcome = subprocess.run(
        [*CONTAINED, *root.command(argv)], env=root.environment(), capture_output=True, text=True,
        timeout=RUN_TIMEOUT_S, check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    if outcome.returncode not in codes:
        raise RehearsalError(f"{what} gave {outcome.returncode}: {outcome.stderr.strip()[-2000:]}")
    return outcome.stdout


def check_results(root: Root) -> None:
    """Of one `listen` and one `score`: there, ours alone, with results in them."""
    files = sorted((root.path / STATE.lstrip("/") / "results").iterdir())
    for file in files:
        if stat.S_IMODE(file.stat().st_mode) != 0o600 or str(file.stat().st_uid) != USER_ID:
            raise RehearsalError(f"{file.name} can be read by others")
        if '"record": "result"' not in file.read_text(encoding="utf-8"):
            raise RehearsalError(f"{file.name} holds no result")
    if len(files) < 2:
        raise RehearsalError(f"listen and score left {len(files)} files")


def check_doctor(root: Root) -> None:
    """It says what is missing here, as JSON; something always is."""
    told = contained(root, ["respire-edge", "doctor", "--json"], "doctor", codes={0, 2})
    try:
        json.loads(told)
    except ValueError as error:
        raise RehearsalError(f"doctor --json wrote no JSON but {told[:200]!r}") from error


def check_health_and_end(stage: Stage, root: Root, listen: list[str]) -> None:
    """Unhealthy before, healthy while it listens; SIGTERM ends it in time, with exit code 0."""
    asking = stage.of("HEALTHCHECK")[0].argv
    contained(root, asking, "health before listening", codes={1})
    command = [*CONTAINED, *root.command(listen)]
    with subprocess.Popen(command, env=root.environment(), stdin=subprocess.DEVNULL) as process:
        wait_until_healthy(root, asking, process)
        begun_s = time.monotonic()
        process.send_signal(signal.SIGTERM)
        code, took_s = process.wait(timeout=60), time.monotonic() - begun_s
    print(f"checked  healthy while it listens; SIGTERM ended it with code {code} after {took_s:.2f} s")
    if code != 0 or took_s > STOP_S:
        raise RehearsalError(f"SIGTERM ended it with code {code} after {took_s:.2f} s; 0 within {STOP_S} s is promised")
    contained(root, asking, "health after listening", codes={1})


def wait_until_healthy(root: Root, asking: list[str], process: subprocess.Popen[bytes]) -> None:
    deadline_s = time.monotonic() + 120
    while time.monotonic() < deadline_s and process.poll() is None:
        if contained(root, asking, "health", codes={0, 1}).startswith("healthy"):
            return
        time.sleep(0.5)
    process.kill()
    raise RehearsalError("listen did not become healthy")


def _normal(name: str) -> str:
    return name.lower().replace("_", "-")


def _requirements(name: str) -> str:
    return (REPOSITORY / "requirements" / name).read_text(encoding="utf-8")
