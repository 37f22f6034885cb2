//! SIP without I/O: messages, URIs, edits, transactions, forwarding.
//!
//! Nothing here opens a socket, reads a clock, starts a thread or takes a lock.
//! Time is an argument ([`types::Millis`]), bytes come in and go out, and the
//! caller asks what to send and when to come back.
//!
//! A received message is parsed once into an immutable [`Message`] that knows
//! where everything is ([`Span`]s into its [`bytes::Bytes`]). What a script
//! changes is a list of [`Edits`], applied when the message is written out by
//! [`build::forward_request`] or [`build::forward_response`]; bytes that nobody
//! touched leave as they came. A byte stream becomes messages in a
//! [`frame::Framer`].

pub mod build;
mod digest;
pub mod edit;
pub mod error;
pub mod frame;
pub mod header;
mod http;
mod lex;
pub mod location;
pub mod mask;
pub mod message;
pub mod method;
pub mod nameaddr;
pub mod params;
mod parse;
mod scan;
pub mod script;
pub mod timer;
pub mod tx;
pub mod types;
pub mod uri;
pub mod via;
pub mod ws;

pub use edit::Edits;
pub use error::{ErrorKind, ParseError, SyntaxError};
pub use header::{Header, HeaderId};
pub use message::Message;
pub use method::Method;
pub use nameaddr::{NameAddr, NameAddrRef};
pub use params::Params;
pub use parse::{MAX_HEADERS, MAX_LINE, MAX_MESSAGE};
pub use types::Span;
pub use uri::Uri;
pub use via::Via;
