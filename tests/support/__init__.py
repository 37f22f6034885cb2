"""What tests and benchmarks share: servers as child processes, SIP peers on raw sockets, foreign tools."""
