"""Fuzzing: what the server reads from the network, from files and from other servers, and must refuse by its documented
errors alone.

`targets` are the functions for what Python reads; those for what Rust reads are in `fuzz/`. `python -m fuzz` runs them
(`make fuzz`). Python's are guided by coverage of the instrumented modules (atheris), Rust's by LLVM's instrumentation; both
are driven by libFuzzer.
"""
