"""The C header as code: where it compiles, how long it becomes, that nothing in it is undefined, and its examples."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from firmware_bridge.frame import HEADER, MAJOR_VERSION, MAX_BODY_BYTES, MAX_PAYLOAD_BYTES
from firmware_bridge.messages import (
    MINOR_VERSION,
    NO_LABEL,
    AudioFlag,
    Codec,
    DeviceState,
    EventCode,
    MessageType,
    ResultFlag,
)  # fmt: skip
from tools.measure_c_header import (
    HEADER_FOLDER,
    HOSTS,
    MAX_CODE_BYTES,
    MICROCONTROLLERS,
    PROGRAMS,
    Compiler,
    code_bytes,
)

HEADER_TEXT = (HEADER_FOLDER / "respire_bridge.h").read_text(encoding="utf-8")
MACROS = dict(re.findall(r"^#define (RB_\w+) (\w+)", HEADER_TEXT, re.M))
STUBS = Path(__file__).parent / "c_stubs"
EXAMPLES = {"esp32_i2s_microphone": "esp_idf", "zephyr_nus": "zephyr", "rp2040_usb_serial": "pico_sdk"}
FUZZED_INPUTS = 10_000


def skip_if_absent(compiler: Compiler) -> None:
    if not compiler.is_here:
        pytest.skip(f"{compiler.command[0]} is not on this machine")


def value(macro: str) -> int:
    return int(MACROS[macro].rstrip("u"), 0)


def test_a_compiler_is_on_this_machine() -> None:
    assert any(compiler.is_here for compiler in HOSTS)


def test_versions_are_those_of_the_page_and_of_the_python_side() -> None:
    page = (HEADER_FOLDER.parent / "PROTOCOL.md").read_text(encoding="utf-8")
    version = f"{value('RB_VERSION_MAJOR')}.{value('RB_VERSION_MINOR')}"
    assert version == f"{MAJOR_VERSION}.{MINOR_VERSION}"
    assert page.startswith(f"# The respire-edge link, version {version}\n")
    assert f"respire-edge link, version {version}." in HEADER_TEXT


def test_numbers_are_those_of_the_python_side() -> None:
    names = {"OVERRUN_BEFORE": "LOST_BEFORE", "SILENCE": "TOO_QUIET", "CLIPPING": "CLIPPED", "GAP": "SOUND_MISSING"}
    prefixes = {
        MessageType: "",
        Codec: "",
        DeviceState: "",
        AudioFlag: "FLAG_",
        EventCode: "EVENT_",
        ResultFlag: "RESULT_",
    }
    for kind, prefix in prefixes.items():
        for each in kind:
            assert value(f"RB_{prefix}{names.get(str(each.name), each.name)}") == each.value
    assert value("RB_LABEL_NONE") == NO_LABEL
    assert value("RB_MAX_PAYLOAD_BYTES") == MAX_PAYLOAD_BYTES
    assert value("RB_HEADER_BYTES") + value("RB_CRC_BYTES") == MAX_BODY_BYTES - MAX_PAYLOAD_BYTES == HEADER.size + 2


def test_every_name_has_the_prefix() -> None:
    code = re.sub(r"/\*.*?\*/", "", HEADER_TEXT, flags=re.S)
    functions = re.findall(r"^static .*?(\w+)\(", code, re.M)
    types = re.findall(r"^} (\w+);|\(\*(\w+)\)", code, re.M)
    macros = re.findall(r"^#define (\w+)", code, re.M)
    assert len(functions) > 30
    assert all(name.startswith("rb_") for name in functions)
    assert all("".join(names).startswith("rb_") for names in types)
    assert all(name.startswith("RB_") or name == "RESPIRE_BRIDGE_H" for name in macros)


def test_it_needs_nothing_but_the_headers_of_a_freestanding_compiler() -> None:
    assert re.findall(r"#include <(.*)>", HEADER_TEXT) == ["stdbool.h", "stddef.h", "stdint.h"]


@pytest.mark.parametrize("compiler", [*HOSTS, *MICROCONTROLLERS], ids=str)
@pytest.mark.parametrize("optimised", ["-O2", "-Os"])
def test_it_compiles_without_a_warning(compiler: Compiler, optimised: str, tmp_path: Path) -> None:
    skip_if_absent(compiler)
    options = (optimised, "-ffreestanding", "-DWITH_SESSION", "-c")
    compiled = compiler.compile(PROGRAMS / "code_size.c", tmp_path / "code.o", *options)
    assert compiled.stderr == ""
    assert compiled.returncode == 0


@pytest.mark.parametrize("compiler", [*MICROCONTROLLERS, *HOSTS[:4]], ids=str)
def test_encoder_receiver_and_result_stay_below_one_and_a_half_kilobytes(compiler: Compiler) -> None:
    skip_if_absent(compiler)
    assert 500 < code_bytes(compiler) <= MAX_CODE_BYTES


@pytest.mark.parametrize("compiler", HOSTS, ids=str)
def test_text_too_long_for_a_tag_is_told_by_the_compiler(compiler: Compiler, tmp_path: Path) -> None:
    skip_if_absent(compiler)
    for count in (255, 256):
        source = tmp_path / f"text_{count}.c"
        text = f'const rb_tag_t long_text = RB_INFO_MODEL("{"x" * count}");'
        source.write_text(f'#include "respire_bridge.h"\nextern const rb_tag_t long_text;\n{text}\n')
        compiled = compiler.compile(source, tmp_path / "text.o", "-c")
        assert (compiled.returncode == 0) == (count == 255)


@pytest.mark.parametrize("compiler", [host for host in HOSTS if host.sanitizers], ids=str)
def test_a_host_that_means_harm_finds_no_undefined_behaviour(compiler: Compiler, tmp_path: Path) -> None:
    skip_if_absent(compiler)
    options = ("-O1", f"-DROUNDS={FUZZED_INPUTS}", *compiler.sanitizers)
    compiled = compiler.compile(PROGRAMS / "fuzz.c", tmp_path / "fuzz", *options)
    assert compiled.returncode == 0, compiled.stderr
    ran = subprocess.run([tmp_path / "fuzz"], capture_output=True, text=True, timeout=120)
    assert ran.returncode == 0, ran.stderr


def test_a_coverage_guided_fuzzer_finds_no_undefined_behaviour(tmp_path: Path) -> None:
    clang = Compiler(("clang", "-std=c99"))
    skip_if_absent(clang)
    options = ("-g", "-O1", "-fsanitize=fuzzer,address,undefined", "-fno-sanitize-recover=all")
    compiled = clang.compile(PROGRAMS / "fuzz.c", tmp_path / "fuzz", *options)
    if "fuzzer" in compiled.stderr:
        pytest.skip("this clang has no libFuzzer")
    assert compiled.returncode == 0, compiled.stderr
    settings = (f"-runs={FUZZED_INPUTS}", "-seed=1", "-max_len=2200", "-print_final_stats=1")
    command = [str(tmp_path / "fuzz"), *settings, f"-artifact_prefix={tmp_path}/"]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert ran.returncode == 0, ran.stderr[-2000:]
    assert f"number_of_executed_units: {FUZZED_INPUTS}" in ran.stderr


@pytest.mark.parametrize("example", EXAMPLES)
@pytest.mark.parametrize("compiler", ["gcc", "clang", "arm-none-eabi-gcc"])
def test_examples_compile_against_what_they_use_of_their_platform(compiler: str, example: str, tmp_path: Path) -> None:
    skip_if_absent(Compiler((compiler,)))
    source = HEADER_FOLDER / "examples" / example / "main.c"
    includes = [f"-I{HEADER_FOLDER}", f"-I{STUBS / EXAMPLES[example]}"]
    options = ["-std=c11", "-O2", "-Wall", "-Wextra", "-Werror", "-Wshadow", "-c"]
    compiled = subprocess.run(
        [compiler, *options, *includes, str(source), "-o", str(tmp_path / "example.o")], capture_output=True, text=True
    )
    assert compiled.stderr == ""
    assert compiled.returncode == 0


def test_an_example_whose_port_holds_no_frame_does_not_compile(tmp_path: Path) -> None:
    host = next(compiler for compiler in HOSTS if compiler.is_here)
    source = HEADER_FOLDER / "examples" / "rp2040_usb_serial" / "main.c"
    command = [host.command[0], "-DCFG_TUD_CDC_TX_BUFSIZE=256", f"-I{HEADER_FOLDER}", f"-I{STUBS / 'pico_sdk'}", "-c"]
    compiled = subprocess.run([*command, str(source), "-o", str(tmp_path / "no.o")], capture_output=True, text=True)
    assert compiled.returncode != 0
    assert "1024 or more" in compiled.stderr


@pytest.fixture
def half_rate(tmp_path: Path) -> Path:
    host = next(compiler for compiler in HOSTS if compiler.is_here and not compiler.runner)
    compiled = host.compile(PROGRAMS / "half_rate.c", tmp_path / "half_rate", "-O1", *host.sanitizers)
    assert compiled.returncode == 0, compiled.stderr
    return tmp_path / "half_rate"


def halved(program: Path, samples: NDArray[np.int16]) -> NDArray[np.int16]:
    ran = subprocess.run([program], input=samples.tobytes(), capture_output=True, check=True, timeout=60)
    return np.frombuffer(ran.stdout, np.int16)


@pytest.mark.parametrize(("hz", "least_db", "most_db"), [
    (100, -0.05, 0.05), (1000, -0.05, 0.05), (2000, -0.05, 0.05), (3000, -0.05, 0.05),
    (5000, -200, -56), (6000, -200, -56), (7900, -200, -56),
])  # fmt: skip
def test_the_examples_filter_keeps_breath_and_what_would_fold_onto_it_out(
    half_rate: Path, hz: int, least_db: float, most_db: float
) -> None:
    tone = np.round(20000 * np.sin(2 * np.pi * hz * np.arange(16000) / 16000)).astype(np.int16)
    heard = halved(half_rate, tone)[100:].astype(np.float64)
    level_db = 20 * np.log10(np.sqrt(2 * np.mean(heard**2)) / 20000)
    assert least_db <= level_db <= most_db


def test_the_examples_filter_is_the_convolution_that_it_claims(half_rate: Path) -> None:
    taps = np.zeros(31)
    taps[::2] = [*(side := [-10, 58, -171, 393, -795, 1527, -3113, 10304]), *side[::-1]]
    taps[15] = 16384
    samples = np.random.default_rng(1).integers(-32768, 32768, 4096).astype(np.int16)
    expected = np.convolve(samples, taps / 32768)[1:4096:2].clip(-32768, 32767)
    np.testing.assert_allclose(halved(half_rate, samples), expected, atol=0.6)


def test_the_examples_filter_clips_and_does_not_wrap(half_rate: Path) -> None:
    square = np.where(np.arange(4000) // 8 % 2, 32767, -32768).astype(np.int16)
    heard = halved(half_rate, square)[50:]
    assert {int(heard.min()), int(heard.max())} == {-32768, 32767}
    assert np.abs(np.diff(np.sign(heard.astype(np.int64)))).sum() <= 2 * (len(heard) // 4 + 1)
