"""A candidate script beside a running server: it gets copies of what the server receives, and nothing of it leaves."""
