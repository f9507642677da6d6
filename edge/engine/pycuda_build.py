"""How pycuda gets onto a machine; apart from what uses it, so that it can be told where NumPy is missing too."""

BUILD_PYCUDA = (
    "build it with: CUDA_ROOT=/usr/local/cuda PATH=/usr/local/cuda/bin:$PATH pip install pycuda "
    "(it needs nvcc; there are no aarch64 wheels)"
)
