"""What is deployed keeps its promises as far as its files tell; `python -m tools.lint_deployment` has the linters."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest

from edge.command_line import build_parser
from edge.profiles import load_profiles
from edge.service.heartbeat import BEAT_S
from tools import lint_deployment, rehearse_install
from tools.dockerfile import Instruction, Stage, instructions_of, stages_of
from tools.lint_deployment import LINTERS, NotHereError, complaints_of, interpolated
from tools.rehearsal_checks import USER_ID

FILES = (
    "Dockerfile.jetson", "deploy/compose.yaml", "deploy/compose.serial.yaml", "deploy/respire-edge.service",
    "deploy/gpu.conf", "deploy/respire-edge.env", "deploy/respire-edge.sysusers",
)  # fmt: skip
OFFLINE = [linter.look for linter in LINTERS if linter.look is not lint_deployment.wheels]


@pytest.fixture
def stages(repository: Path) -> list[Stage]:
    return stages_of((repository / "Dockerfile.jetson").read_text(encoding="utf-8"))


@pytest.fixture
def unit(repository: Path) -> dict[str, list[str]]:
    """Each directive's values."""
    text = (repository / "deploy/respire-edge.service").read_text(encoding="utf-8").replace("\\\n", "")
    directives: dict[str, list[str]] = {}
    for line in text.splitlines():
        if line and line[0] not in "#[":
            name, _, value = line.partition("=")
            directives.setdefault(name, []).append(value)
    return directives


@pytest.fixture
def compose(repository: Path) -> str:
    return interpolated((repository / "deploy/compose.yaml").read_text(encoding="utf-8"), lint_deployment.SETTINGS)


@pytest.mark.parametrize("look", OFFLINE, ids=[look.__name__ for look in OFFLINE])
def test_each_linter_that_is_here_has_no_complaint(look: Callable[[], str]) -> None:
    try:
        assert look() == ""
    except NotHereError as absence:
        pytest.skip(str(absence))


def test_what_a_linter_writes_is_a_complaint_whatever_its_exit_code() -> None:
    assert complaints_of(["sh", "-c", "echo doubt >&2"]) == "doubt"
    assert complaints_of(["sh", "-c", "echo fault; exit 1"]) == "fault"
    assert complaints_of(["sh", "-c", "exit 3"]) == "sh gave 3"
    assert complaints_of(["sh", "-c", "echo fine"]) == ""


@pytest.mark.parametrize("name", FILES)
def test_nothing_deployed_is_privileged(repository: Path, name: str) -> None:
    text = (repository / name).read_text(encoding="utf-8").lower()
    for word in (
        "privileged:",
        "--privileged",
        "network_mode: host",
        "ipc: host",
        "pid: host",
        "docker.sock",
        "user=root",
    ):
        assert word not in text, word


def test_every_stage_is_made_from_the_image_that_the_argument_names(repository: Path, stages: list[Stage]) -> None:
    first = instructions_of((repository / "Dockerfile.jetson").read_text(encoding="utf-8"))[0]
    assert (first.keyword, first.text) == ("ARG", "BASE=nvcr.io/nvidia/l4t-jetpack:r36.4.0")
    assert [(stage.base, stage.name) for stage in stages] == [
        ("${BASE}", "pycuda"),
        ("${BASE}", "wheels"),
        ("${BASE}", ""),
    ]


def test_the_image_builds_no_model_and_no_engine_and_holds_no_training_stack(stages: list[Stage]) -> None:
    for stage in stages:
        for run in stage.of("RUN"):
            for word in (
                "torch",
                "respire-export",
                "respire-train",
                "-m export",
                "-m train",
                "trtexec",
                "curl",
                "wget",
                "git ",
            ):
                assert word not in run.text, (run.line, word)
            assert not re.search(r"(respire-edge|\.)\[(?!serial\])", run.text), "no other extra: they bring torch"


def test_only_the_stages_before_the_image_reach_a_package_index(stages: list[Stage]) -> None:
    *before, image = stages
    for stage in before:
        assert [run for run in stage.of("RUN") if "pip" in run.text and "PIP_CONSTRAINT=" not in run.text] == []
    installs = [run for run in image.of("RUN") if "pip install" in run.text]
    assert [install.mounts[0]["from"] for install in installs] == ["wheels", "pycuda"]
    assert all("--no-index --find-links=/wheels" in install.text for install in installs)
    assert image.of("COPY") == []


def test_the_image_sees_the_distributions_tensorrt(stages: list[Stage]) -> None:
    assert any("/usr/bin/python3 -m venv --system-site-packages" in run.text for run in stages[-1].of("RUN"))


def test_the_image_runs_as_a_user_who_may_use_sound_and_serial_ports(stages: list[Stage]) -> None:
    image = stages[-1]
    (user,) = image.of("USER")
    (made,) = [run.text for run in image.of("RUN") if "useradd" in run.text]
    assert user.text == "respire-edge"
    assert f"--uid {USER_ID}" in made
    groups = made.split("--groups ")[1].split()[0].split(",")
    assert {"audio", "dialout"} <= set(groups)
    assert image.of("RUN")[-1].line > user.line, "the image tries itself as that user"


def test_signals_reach_the_program_itself(stages: list[Stage]) -> None:
    image = stages[-1]
    for keyword in ("ENTRYPOINT", "CMD", "HEALTHCHECK"):
        (instruction,) = image.of(keyword)
        assert instruction.argv[:2] != ["/bin/sh", "-c"], keyword
    assert image.of("ENTRYPOINT")[0].argv == ["respire-edge"]
    assert image.of("HEALTHCHECK")[0].argv == ["respire-edge", "health"]


def test_what_is_copied_is_there_and_is_not_ignored(repository: Path, stages: list[Stage]) -> None:
    lines = (repository / ".dockerignore").read_text(encoding="utf-8").splitlines()
    admitted = {line[1:] for line in lines if line.startswith("!")}
    sources = {source for stage in stages for copy in stage.of("COPY") for source in copy.text.split()[:-1]}
    assert "*" in lines
    assert {source.split("/")[0] for source in sources} == admitted
    assert [source for source in sources if not (repository / source).exists()] == []


def test_pins_for_the_jetson_agree_with_nothing_else(repository: Path) -> None:
    constraints = (repository / "requirements/constraints.txt").read_text(encoding="utf-8")
    pins = re.findall(
        r"^([\w-]+)==\S+$", (repository / "requirements/jetson.txt").read_text(encoding="utf-8"), re.MULTILINE
    )
    assert "pycuda" in pins
    assert [pin for pin in pins if re.search(rf"^{pin}={{2,3}}", constraints, re.MULTILINE)] == []


def test_the_container_has_no_network_no_capability_and_nothing_to_write_on(compose: str) -> None:
    for line in (
        "network_mode: none", "read_only: true", "cap_drop: [ALL]", 'security_opt: ["no-new-privileges:true"]',
        "runtime: nvidia", "init: true", "restart: unless-stopped", 'options: {max-size: 1m, max-file: "5"}',
        f"- /run/respire-edge:uid={USER_ID},gid={USER_ID},mode=0700,size=1m,noexec,nosuid,nodev",
    ):  # fmt: skip
        assert f"{line}\n" in compose, line
    assert "ports:" not in compose
    assert "cap_add" not in compose


def test_a_card_that_is_plugged_in_again_is_seen_in_the_container(compose: str) -> None:
    assert "- /dev/snd:/dev/snd\n" in compose.split("volumes:")[1], "the folder, not the devices that were there"
    assert 'device_cgroup_rules: ["c 116:* rw"]\n' in compose


def test_folders_of_the_container_are_those_that_the_image_made(compose: str, stages: list[Stage]) -> None:
    volumes = re.findall(r"- \w+:(/var/lib\S+)", compose)
    (made,) = [run.text for run in stages[-1].of("RUN") if "install -d" in run.text]
    assert len(volumes) == 3
    assert [volume for volume in volumes if volume not in made] == []
    assert f"install -d -o {USER_ID} -g {USER_ID} -m 0700" in made


def test_both_ways_of_starting_ask_for_the_same_run(compose: str, unit: dict[str, list[str]]) -> None:
    in_compose = re.findall(r"^      - (\S+)$", compose.split("command:")[1].split("runtime:")[0], re.MULTILINE)
    settings = {"RESPIRE_EDGE_DEVICE": "littmann3200", "RESPIRE_EDGE_SOURCE": "mic"}
    in_unit = shlex.split(interpolated(unit["ExecStart"][0], settings))[1:]
    assert in_compose == in_unit
    options = build_parser().parse_args(in_unit)
    assert (options.command, options.wait_for_source, options.output) == (
        "listen",
        True,
        "/var/lib/respire-edge/results",
    )
    assert options.max_restarts > 0


def test_the_settings_file_names_what_is_asked_for(repository: Path, unit: dict[str, list[str]]) -> None:
    text = (repository / "deploy/respire-edge.env").read_text(encoding="utf-8")
    settings = dict(line.split("=", 1) for line in text.splitlines() if line and not line.startswith("#"))
    assert set(settings) == set(re.findall(r"\$\{(\w+)\}", unit["ExecStart"][0]))
    assert settings["RESPIRE_EDGE_DEVICE"] in load_profiles()


def test_the_service_is_watched_restarted_and_kept_from_everything(unit: dict[str, list[str]]) -> None:
    single = {name: values[0] for name, values in unit.items() if len(values) == 1}
    promised = {
        "Type": "notify", "NotifyAccess": "main", "Restart": "on-failure",
        "UMask": "0077", "StateDirectoryMode": "0700",
        "PrivateNetwork": "yes", "ProtectSystem": "strict", "DevicePolicy": "closed", "NoNewPrivileges": "yes",
        "SupplementaryGroups": "audio dialout", "RestrictAddressFamilies": "AF_UNIX", "LimitCORE": "0",
        "WatchdogSignal": "SIGKILL", "CapabilityBoundingSet": "",
    }  # fmt: skip
    assert {name: single.get(name) for name in promised} == promised
    assert "char-alsa rw" in unit["DeviceAllow"]
    assert float(single["WatchdogSec"]) / 2 > 4 * BEAT_S, "a busy machine is not a hung one"
    assert {"StartLimitBurst", "StartLimitIntervalSec", "MemoryMax", "TasksMax", "TimeoutStopSec"} <= set(single)


def test_a_rehearsal_runs_what_needs_no_jetson_and_names_why_it_runs_nothing_else(stages: list[Stage]) -> None:
    texts = [run.text for stage in stages for run in stage.of("RUN")]
    left_out = [text for text in texts if any(part in text for part in rehearse_install.NOT_RUN)]
    assert [part for part in rehearse_install.NOT_RUN if not any(part in text for text in texts)] == []
    assert len(texts) - len(left_out) >= 8
    assert all(re.search("apt-get|pycuda|jetson.txt", text) for text in left_out)


def test_a_dockerfile_is_read_as_stages_of_instructions() -> None:
    text = """ARG BASE=x:1
FROM ${BASE} AS one
# a comment
RUN --mount=type=bind,from=a,source=/b,target=/c first \\
    # between
    && second
FROM ${BASE}
HEALTHCHECK --start-period=5s CMD ["a", "b"]
CMD c d
"""
    one, last = stages_of(text)
    assert one.instructions == [
        Instruction(4, "RUN", (("mount", "type=bind,from=a,source=/b,target=/c"),), "first     && second")
    ]
    assert one.instructions[0].mounts == [{"type": "bind", "from": "a", "source": "/b", "target": "/c"}]
    assert last.of("HEALTHCHECK")[0].argv == ["a", "b"]
    assert last.of("CMD")[0].argv == ["/bin/sh", "-c", "c d"]
    with pytest.raises(ValueError, match="line 2: an instruction that does not end"):
        stages_of("FROM a\nRUN b \\\n")


def test_variables_are_replaced_as_compose_replaces_them() -> None:
    assert interpolated("${A:-one} ${B:?say it} ${C}", {"B": "two", "C": "three"}) == "one two three"
    with pytest.raises(ValueError, match="B has no value"):
        interpolated("${B:?say it}", {})


def test_each_command_of_the_runbook_is_one_that_its_program_takes(repository: Path) -> None:
    pytest.importorskip("numpy")
    from export.build_engine import build_parser as build_engine_parser

    parsers = {"respire-edge": build_parser(), "respire-export-build-engine": build_engine_parser()}
    parsed = [parsers[name].parse_args(arguments) for name, arguments in own_commands(repository)]
    asked = {getattr(options, "command", "build-engine") for options in parsed}
    assert asked == {"doctor", "devices", "health", "build-engine"}
    assert len(parsed) >= 6


def own_commands(repository: Path) -> list[tuple[str, list[str]]]:
    """Programs of ours and their arguments, on the machine or in the container, whose program is `respire-edge`."""
    found = []
    for command in runbook_commands(repository):
        programs = [place for place, word in enumerate(command) if Path(word).name.startswith("respire-e")]
        own = [place for place in programs if word_starts_a_program(command, place)]
        if own and "--entrypoint" not in command:
            found.append((Path(command[own[-1]]).name, command[own[-1] + 1 :]))
        elif command[:3] == ["docker", "compose", "run"]:
            program = command[command.index("--entrypoint") + 1] if "--entrypoint" in command else "respire-edge"
            found.append((program, command[command.index("listen") + 1 :]))
    return found


def word_starts_a_program(command: list[str], place: int) -> bool:
    before = command[:place]
    as_another = before == ["sudo", "-u", "respire-edge"] and command[place].startswith("/")
    return not before or as_another or before[:3] == ["docker", "compose", "exec"]


def runbook_commands(repository: Path) -> list[list[str]]:
    text = (repository / "docs/runbook.md").read_text(encoding="utf-8")
    lines = "\n".join(re.findall(r"^```sh\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)).splitlines()
    return [shlex.split(command, comments=True) for line in lines for command in line.split(" && ")]


def test_each_file_that_the_runbook_names_is_there(repository: Path) -> None:
    text = (repository / "docs/runbook.md").read_text(encoding="utf-8")
    named = set(re.findall(r"(?:deploy|requirements|tools)/[\w.-]+\w", text)) | {"Dockerfile.jetson"}
    assert len(named) >= 7
    assert [name for name in named if not (repository / name).is_file()] == []


def test_the_runbook_is_one_page_and_says_what_was_never_run(repository: Path) -> None:
    lines = (repository / "docs/runbook.md").read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 100
    assert "## What was never run" in lines
