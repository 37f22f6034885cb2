//! Record-Route and loose routing (module rr; RFC 3261 sections 16.4, 16.6, 16.12).

/// What the script recorded; becomes header lines when the socket to leave by is known.
#[derive(Clone, Debug, Default)]
pub struct RrState {}
