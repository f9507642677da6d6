"""Training of the breath-sound classifier: dataset readers, techniques, network, loop and evaluation."""

import os

# NumPy's matrix products here are so small that a second thread of OpenBLAS only spins: with two, an image costs six
# times the processor time. It must be said before NumPy is first imported; a value set by the user stands.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
