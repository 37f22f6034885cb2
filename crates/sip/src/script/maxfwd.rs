//! Max-Forwards (module maxfwd; RFC 3261 sections 16.3 step 3 and 16.6 step 3).

use crate::header::HeaderId;

use super::context::Context;
use super::pv::parse_number;

/// `max_limit` of the module where none is configured.
const DEFAULT_LIMIT: u32 = 70;

/// What the header field says now.
enum Hops {
    Absent,
    Malformed,
    Left(u32),
}

fn hops(ctx: &Context) -> Hops {
    if let Some(left) = ctx.max_forwards {
        return Hops::Left(left);
    }
    match ctx.msg.value(HeaderId::MaxForwards) {
        None => Hops::Absent,
        Some(b"") => Hops::Left(0),
        Some(text) => match parse_number(text).map(u32::try_from) {
            Some(Ok(left)) => Hops::Left(left),
            _ => Hops::Malformed,
        },
    }
}

/// `KSR.maxfwd.process_maxfwd`: counts down, or adds the header field with `initial`.
///
/// 1 when counted down, 2 when added, -1 when no hop is left, -2 when it is malformed.
/// A count above the configured limit becomes the limit. `$hdr(Max-Forwards)` shows the
/// new count at once.
pub fn process_maxfwd(ctx: &mut Context, initial: i64) -> i32 {
    let limit = match ctx.env.max_forwards_limit {
        0 => DEFAULT_LIMIT,
        limit => limit,
    };
    match hops(ctx) {
        Hops::Absent => {
            let initial = u32::try_from(initial).unwrap_or(limit).min(limit);
            ctx.max_forwards = Some(initial);
            2
        }
        Hops::Malformed => -2,
        Hops::Left(0) => -1,
        Hops::Left(n) if n > limit => {
            ctx.max_forwards = Some(limit);
            1
        }
        Hops::Left(n) => {
            ctx.max_forwards = Some(n - 1);
            1
        }
    }
}

/// `KSR.maxfwd.is_maxfwd_lt`: whether fewer hops are left. -2 without the header field,
/// -3 when it is malformed.
pub fn is_maxfwd_lt(ctx: &mut Context, limit: i64) -> i32 {
    match hops(ctx) {
        Hops::Absent => -2,
        Hops::Malformed => -3,
        Hops::Left(n) if i64::from(n) < limit => 1,
        Hops::Left(_) => -1,
    }
}
