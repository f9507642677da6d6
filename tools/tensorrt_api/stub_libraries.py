"""The three shared libraries that NVIDIA's bindings link to, as empty ones that a C compiler makes in a moment.

With them the bindings import on a machine that has neither TensorRT nor a GPU. Whatever would reach the library
gets a null pointer, so that classes, signatures and enums can be read, and nothing can be run.
"""

import os
import shutil
import subprocess
from pathlib import Path

LIBRARIES = ("libnvinfer", "libnvinfer_plugin", "libnvonnxparser")
ENTRY_POINTS = (
    "createInferBuilder_INTERNAL",
    "createInferRefitter_INTERNAL",
    "createInferRuntime_INTERNAL",
    "createNvOnnxParser_INTERNAL",
    "createNvOnnxParserRefitter_INTERNAL",
    "getBuilderPluginRegistry",
    "getNvOnnxParserVersion",
    "getPluginRegistry",
    "initLibNvInferPlugins",
)


def maybe_c_compiler() -> str | None:
    return shutil.which(os.environ.get("CC") or "cc")


def build_stub_libraries(compiler: str, folder: Path, version: str) -> None:
    """Leave in `folder` what the bindings of `version` are linked to; raises CalledProcessError."""
    folder.mkdir(parents=True)
    source = folder / "stub.c"
    source.write_text("".join(f"void *{name}(void) {{ return 0; }}\n" for name in ENTRY_POINTS))
    major = version.partition(".")[0]
    for library in LIBRARIES:
        file = folder / f"{library}.so.{major}"
        subprocess.run([compiler, "-shared", "-fPIC", f"-Wl,-soname,{file.name}", "-o", file, source], check=True)
