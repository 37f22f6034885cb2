"""The server as a service of the system: a unit for systemd, and what the server tells systemd while it runs."""
