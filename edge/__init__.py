"""respire-edge: classifies breath sounds beside a digital stethoscope, on a small computer, without a network.

Research use only: this is not a medical device.
"""

import os

# The matrix products of `edge.signal` are so small that a second OpenBLAS thread only spins: on a busy two-core machine
# an image then costs fourteen times the processor time. It counts before NumPy's first import; the user's value stands.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
