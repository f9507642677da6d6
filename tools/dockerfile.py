"""A Dockerfile as its stages and instructions, as far as ours go: no heredocs, no escape directive, no ONBUILD."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field

FLAG = re.compile(r"--([\w-]+)=(\S+)\s+")


@dataclass(frozen=True)
class Instruction:
    """One instruction, its continued lines joined."""

    line: int
    """Where it begins, from 1."""
    keyword: str
    """In capitals."""
    flags: tuple[tuple[str, str], ...]
    """Such as ("mount", "type=bind,from=wheels,source=/wheels,target=/wheels")."""
    text: str
    """What follows keyword and flags."""

    @property
    def argv(self) -> list[str]:
        """What a RUN, CMD, ENTRYPOINT or HEALTHCHECK CMD starts: its list, or its text through the shell."""
        text = self.text.removeprefix("CMD ").strip()
        return [str(part) for part in json.loads(text)] if text.startswith("[") else ["/bin/sh", "-c", text]

    @property
    def mounts(self) -> list[dict[str, str]]:
        """The options of each `--mount`."""
        values = [value for name, value in self.flags if name == "mount"]
        return [dict(option.split("=", 1) for option in value.split(",")) for value in values]


@dataclass
class Stage:
    """From one FROM to the next."""

    base: str
    name: str
    """Empty where it has none, as the last one."""
    instructions: list[Instruction] = field(default_factory=list)

    def of(self, keyword: str) -> list[Instruction]:
        """Its instructions of one kind."""
        return [instruction for instruction in self.instructions if instruction.keyword == keyword]


def stages_of(text: str) -> list[Stage]:
    """The stages of a Dockerfile in their order; an ARG before the first FROM belongs to none."""
    stages: list[Stage] = []
    for instruction in instructions_of(text):
        if instruction.keyword == "FROM":
            base, *name = instruction.text.split()
            stages.append(Stage(base, name[1] if name else ""))
        elif stages:
            stages[-1].instructions.append(instruction)
    return stages


def instructions_of(text: str) -> list[Instruction]:
    """Every instruction in its order. Raises ValueError naming the line of what is none."""
    found, pending, begun = list[Instruction](), "", 0
    for number, line in enumerate(text.splitlines(), start=1):
        if line.lstrip().startswith("#") or not line.strip():
            continue
        begun = begun if pending else number
        pending += line.removesuffix("\\")
        if not line.endswith("\\"):
            found.append(_instruction(begun, pending))
            pending = ""
    if pending:
        raise ValueError(f"line {begun}: an instruction that does not end")
    return found


def _instruction(line: int, text: str) -> Instruction:
    keyword, _, rest = text.partition(" ")
    if not keyword.isalpha():
        raise ValueError(f"line {line}: not an instruction: {text[:40]}")
    rest, flags = rest.strip(), []
    while match := FLAG.match(rest):
        flags.append((match[1], match[2]))
        rest = rest[match.end() :]
    return Instruction(line, keyword.upper(), tuple(flags), rest)
