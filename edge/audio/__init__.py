"""Where sound comes from: recordings, a sound card, and the simulated auscultation of the demo."""
