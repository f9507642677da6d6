"""respire-edge: classifies breath sounds beside a digital stethoscope, on a small computer, without a network.

Research use only: this is not a medical device.
"""

import os

# The matrix products of `edge.signal` are so small that a second OpenBLAS thread only spins: on a busy two-core machine
# an image then costs fourteen times the processor time. It counts before NumPy's first import; the user's value stands.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
# From 1.29 on ONNX Runtime resolves its maker's address and sends there what it runs, under an identifier that it keeps
# in ~/.cache (seen with strace, 1.32). It looks for this when it is first imported; no caller's value may change it.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
