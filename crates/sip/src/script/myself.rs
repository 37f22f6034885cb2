//! Whether a host or URI names this server.
