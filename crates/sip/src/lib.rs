//! SIP without I/O: messages, URIs, edits, transactions, forwarding.
//!
//! Nothing here opens a socket, reads a clock, starts a thread or takes a lock.
//! Time is an argument ([`types::Millis`]), bytes come in and go out, and the
//! caller asks what to send and when to come back.

pub mod types;
