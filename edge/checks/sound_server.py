"""What stands between PortAudio and the sound cards, and may hang: PipeWire, PulseAudio, or ALSA alone."""

from __future__ import annotations

from edge.checks.host import Host

RESTARTS = {
    "pipewire": "systemctl --user restart wireplumber pipewire pipewire-pulse",
    "pulseaudio": "pulseaudio --kill; pulseaudio --start",
}
"""Program of a sound server -> what restarts it."""
WITHOUT = "alsactl init"


def restart_command(host: Host) -> str:
    """What brings the sound of this machine back."""
    known = (command for program, command in RESTARTS.items() if host.has_program(program))
    return next(known, f"{host.sudo}{WITHOUT}")
