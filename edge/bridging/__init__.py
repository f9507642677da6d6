"""`respire-edge bridge`: the link to a microcontroller, looked at, recorded and played by a simulated device."""
