//! Max-Forwards (module maxfwd; RFC 3261 section 16.3).
