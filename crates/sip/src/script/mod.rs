//! The functions of a routing script, over one message's [`Context`].
//!
//! `KSR.rr.record_route()` is [`rr::record_route`]`(&mut ctx)`, `KSR.hdr.get(n)` is
//! [`hdr::get`]`(&ctx, n)`, `KSR.is_method_in(s)` is [`core::is_method_in`], and so on:
//! one Rust module for each KSR module, one function for each KSR function, text as
//! `&[u8]`, numbers as `i64`. They return what Kamailio's return: `bool`, a code as
//! `i32` (1 and -1 by convention), or a [`Value`] for `xval`.
//!
//! Nothing here does I/O. A function that refuses wrong use says why in
//! [`Context::complaints`]. What a script asks for takes effect when the caller
//! builds the outgoing message with [`forward::build_branch`] and its siblings.

mod addresses;
mod avp;
mod contacts;
mod context;
pub mod core;
pub mod corex;
mod env;
pub mod forward;
pub mod hdr;
mod hf_values;
mod iterators;
pub mod kx;
mod loose;
pub mod maxfwd;
mod multipart;
pub mod myself;
pub mod nat_sdp;
pub mod nathelper;
pub mod outbound;
pub mod path;
pub mod pv;
pub mod pvx;
mod regexes;
pub mod rr;
pub mod ruri;
pub mod sanity;
pub mod serial;
pub mod siputils;
pub mod textops;
pub mod textopsx;
pub mod uac;
mod vars;
mod xavp;
pub mod xlog;

pub use addresses::{AddressEdit, Addresses};
pub use avp::{AvpKey, AvpList};
pub use context::{
    Binding, BranchTarget, Context, RouteType, SendFlags, TxData, TxView, Value, ViaWishes,
    WallMicros,
};
pub use env::{Alias, Env, ForeignVars, OwnNames, RrConfig};
pub use iterators::Iterators;
pub use nathelper::NatConfig;
pub use outbound::{FlowRoute, OutboundConfig};
pub use path::PathConfig;
pub use regexes::Substitution;
pub use rr::RrState;
pub use sanity::SanityConfig;
pub use serial::Kept;
pub use uac::UacConfig;
pub use vars::{SharedVars, Vars};
pub use xavp::{Fields as XavpFields, Item as XavpItem, XavpKind, XavpList, XavpPath};
