"""What `listen` shows on a terminal, and drawing there: only what changed is sent."""
