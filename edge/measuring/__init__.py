"""What `respire-edge bench` measures: the real pipeline, timed from outside."""
