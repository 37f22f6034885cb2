//! The request-URI and the next hop.
