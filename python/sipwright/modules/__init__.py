"""What the KSR functions in Python do: locations, registrar, hash tables. Policy without I/O; time is an argument."""
