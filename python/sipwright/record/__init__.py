"""The recording of calls: reading it from a running server or a capture file, and writing capture files."""
