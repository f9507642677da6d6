"""Training of the breath-sound classifier: dataset readers, techniques, network, loop and evaluation."""
