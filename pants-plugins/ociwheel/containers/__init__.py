"""Docker and podman: one client, and what is run with it."""
