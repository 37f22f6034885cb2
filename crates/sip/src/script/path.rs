//! Path (module path; RFC 3327).
