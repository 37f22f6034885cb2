"""The page of a running server: what goes on inside, live. Its files are in `static/` and are served as they are."""
