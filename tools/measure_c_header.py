"""How much code firmware_bridge/c/respire_bridge.h becomes: `python -m tools.measure_c_header`, one line a compiler.

Also the compilers that tests compile it with. One that is absent is left out; install clang, gcc-arm-none-eabi,
gcc-powerpc-linux-gnu, libc6-dev-powerpc-cross and qemu-user (Debian's names) for all of them.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
HEADER_FOLDER = REPOSITORY / "firmware_bridge" / "c"
PROGRAMS = REPOSITORY / "tests" / "test_firmware_bridge" / "c_programs"
STRICT = (
    "-Wall", "-Wextra", "-Werror", "-pedantic", "-Wconversion", "-Wsign-conversion", "-Wshadow", "-Wcast-qual",
    "-Wundef",
)  # fmt: skip
SANITIZERS = ("-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
MAX_CODE_BYTES = 1536
"""1.5 kB: encoder of every message, receiver, and RESULT."""


@dataclass(frozen=True)
class Compiler:
    """One that may be on this machine, in one language."""

    command: tuple[str, ...]
    runner: tuple[str, ...] = ()
    """What runs its programs, where they are another processor's."""
    sanitizers: tuple[str, ...] = SANITIZERS

    def __str__(self) -> str:
        return " ".join(self.command)

    @property
    def is_here(self) -> bool:
        return all(shutil.which(program) for program in (self.command[0], *self.runner))

    def compile(self, source: Path, output: Path, *options: str) -> subprocess.CompletedProcess[str]:
        """Its attempt, with the header's folder among the includes; `options` say what the output is."""
        language = "c++" if "++" in self.command[0] else "c"
        command = [
            *self.command,
            *STRICT,
            *options,
            f"-I{HEADER_FOLDER}",
            "-x",
            language,
            str(source),
            "-o",
            str(output),
        ]
        return subprocess.run(command, capture_output=True, text=True)


HOSTS = (
    Compiler(("gcc", "-std=c99")),
    Compiler(("g++", "-std=c++11")),
    Compiler(("clang", "-std=c99")),
    Compiler(("clang++", "-std=c++11")),
    # its most significant byte comes first; a static program needs no libraries beside the emulator
    Compiler(("powerpc-linux-gnu-gcc", "-std=c99", "-static"), ("qemu-ppc",), ()),
)
"""Those whose programs run here."""
UNLIKE = (HOSTS[0], HOSTS[3], HOSTS[4])
"""Of those the most different: each language, compiler and order of bytes. What a device does is tested with them."""
ARM_GCC = ("arm-none-eabi-gcc", "-std=c99", "-mthumb")
MICROCONTROLLERS = (
    *(Compiler((*ARM_GCC, f"-mcpu={core}")) for core in ("cortex-m0plus", "cortex-m4", "cortex-m33")),
    Compiler(("clang", "-std=c99", "--target=thumbv6m-none-eabi", "-ffreestanding")),
)


def code_bytes(compiler: Compiler, options: tuple[str, ...] = ()) -> int:
    """Of code and constants at -Os, of an object that uses all of the encoder, the receiver and RESULT; with
    `-DWITH_SESSION` also rb_device_t. Raises RuntimeError where it does not compile.
    """
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "code_size.o"
        compiled = compiler.compile(PROGRAMS / "code_size.c", output, "-Os", "-c", *options)
        if compiled.returncode:
            raise RuntimeError(f"{compiler} does not compile code_size.c: {compiled.stderr}")
        sections = subprocess.run(["size", "-A", str(output)], capture_output=True, text=True, check=True).stdout
    # what unwinds a stack for exceptions and debuggers (.eh_frame) is no code and is not kept in a firmware's flash
    rows = [line.split() for line in sections.splitlines() if line.startswith((".text", ".rodata", ".data"))]
    return sum(int(row[1]) for row in rows)


def main() -> None:
    print("| compiler, -Os | encode, receive, RESULT: bytes | with rb_device_t |\n| --- | ---: | ---: |")
    for compiler in (*MICROCONTROLLERS, *(host for host in HOSTS if not host.runner)):
        if compiler.is_here:
            print(f"| {compiler} | {code_bytes(compiler)} | {code_bytes(compiler, ('-DWITH_SESSION',))} |")


if __name__ == "__main__":
    main()
