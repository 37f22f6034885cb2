//! Branches: `$br`, `$bR`, `$branch(uri)`, `$ds`.

use super::super::context::{BranchTarget, Context, Value};
use super::Index;
use super::header::at;
use super::net::socket_text;
use super::read::int;

/// Position of the branch that an index means; none means the first.
fn position(ctx: &Context, index: Index) -> Option<usize> {
    match index {
        Index::At(i) => at(ctx.branches.len(), i),
        Index::None | Index::All => (!ctx.branches.is_empty()).then_some(0),
    }
}

/// `$branch(field)`, `$(branch(field)[n])`.
pub(super) fn get<'a>(ctx: &'a Context, field: &[u8], index: Index) -> Value<'a> {
    if field == b"count" && !ctx.branches.is_empty() {
        return int(ctx.branches.len());
    }
    let Some(branch) = position(ctx, index).map(|i| &ctx.branches[i]) else {
        return Value::Null;
    };
    part(ctx, branch, field)
}

fn part<'a>(ctx: &'a Context, branch: &'a BranchTarget, field: &[u8]) -> Value<'a> {
    match field {
        b"uri" => Value::borrowed(&branch.uri),
        b"dst_uri" => Value::opt(branch.dst_uri.as_deref()),
        b"path" => Value::opt(branch.path.as_deref()),
        b"q" => branch.q.map_or(Value::Null, int),
        b"flags" => int(branch.flags),
        b"ruid" => Value::opt(branch.ruid.as_deref()),
        b"ua" | b"location_ua" => Value::opt(branch.location_ua.as_deref()),
        b"send_socket" => branch
            .socket
            .and_then(|id| ctx.env.socket(id))
            .map_or(Value::Null, |s| {
                Value::owned(socket_text(s.proto, s.addr).into_bytes())
            }),
        _ => Value::Null,
    }
}

/// `$(branch(field)[n]) = value`. Setting the uri to null removes the branch.
pub(super) fn set(ctx: &mut Context, field: &[u8], index: Index, value: &Value<'_>) -> bool {
    let Some(i) = position(ctx, index) else {
        return false;
    };
    let socket = match (field, value) {
        (b"send_socket", Value::Str(s)) => match ctx.env.find_socket(s) {
            Some(socket) => Some(socket.id),
            None => {
                ctx.complain("no such socket");
                return false;
            }
        },
        _ => None,
    };
    let branch = &mut ctx.branches[i];
    match (field, value) {
        (b"uri", Value::Null) => drop(ctx.branches.remove(i)),
        (b"uri", Value::Str(s)) => branch.uri = s.to_vec(),
        (b"dst_uri", _) => return set_text(&mut branch.dst_uri, value),
        (b"path", _) => return set_text(&mut branch.path, value),
        (b"ruid", _) => return set_text(&mut branch.ruid, value),
        (b"ua" | b"location_ua", _) => return set_text(&mut branch.location_ua, value),
        (b"send_socket", Value::Null | Value::Str(_)) => branch.socket = socket,
        (b"q", Value::Null) => branch.q = None,
        (b"q", Value::Int(q)) => return set_q(branch, *q),
        (b"flags", Value::Null) => branch.flags = 0,
        (b"flags", Value::Int(n)) => branch.flags = bits(*n),
        _ => return false,
    }
    true
}

fn set_q(branch: &mut BranchTarget, q: i64) -> bool {
    match u16::try_from(q) {
        Ok(q) if q <= 1000 => branch.q = Some(q),
        _ => return false,
    }
    true
}

fn set_text(slot: &mut Option<Vec<u8>>, value: &Value<'_>) -> bool {
    *slot = match value {
        Value::Null => None,
        Value::Str(s) if s.is_empty() => None,
        Value::Str(s) | Value::StrInt(s, _) => Some(s.to_vec()),
        Value::Int(_) => return false,
    };
    true
}

/// `$sbranch(field)`: of the destination that is put together before it is used.
pub(super) fn get_static<'a>(ctx: &'a Context, field: &[u8]) -> Value<'a> {
    match (field, &ctx.static_branch) {
        (b"count", _) => int(ctx.branches.len()),
        (_, Some(branch)) => part(ctx, branch, field).into_nonempty(),
        (_, None) => Value::Null,
    }
}

/// `$sbranch(field) = value`.
pub(super) fn set_static(ctx: &mut Context, field: &[u8], value: &Value<'_>) -> bool {
    // as one of the appended ones, for the time of the change
    let branch = ctx.static_branch.take().unwrap_or_default();
    ctx.branches.push(*branch);
    let last = i32::try_from(ctx.branches.len() - 1).unwrap_or(i32::MAX);
    let before = ctx.branches.len();
    let (name, null) = (field, matches!(value, Value::Null));
    let done = if name == b"uri" && null {
        if let Some(branch) = ctx.branches.last_mut() {
            branch.uri.clear();
        }
        true
    } else {
        set(ctx, name, Index::At(last), value)
    };
    debug_assert_eq!(before, ctx.branches.len());
    ctx.static_branch = ctx.branches.pop().map(Box::new);
    done
}

/// The 32 flags in a number, negative ones included.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
pub(super) const fn bits(n: i64) -> u32 {
    n as u32
}

/// `$bR`: the appended branches as values of Contact.
pub(super) fn all(ctx: &Context) -> Value<'static> {
    if ctx.branches.is_empty() {
        return Value::Null;
    }
    let mut out = Vec::new();
    for branch in &ctx.branches {
        contact(&branch.uri, branch.q, &mut out);
    }
    Value::owned(out)
}

/// `$ds`: all destinations, the main one first, as a Contact header field.
pub(super) fn dset(ctx: &Context) -> Value<'static> {
    if ctx.branches.is_empty() {
        return Value::Null;
    }
    let mut out = Vec::new();
    contact(ctx.uri(), ctx.q, &mut out);
    for branch in &ctx.branches {
        contact(&branch.uri, branch.q, &mut out);
    }
    out.splice(0..0, *b"Contact: ");
    Value::owned(out)
}

fn contact(uri: &[u8], q: Option<u16>, out: &mut Vec<u8>) {
    if !out.is_empty() {
        out.extend_from_slice(b", ");
    }
    match q {
        None => out.extend_from_slice(uri),
        Some(q) => {
            out.push(b'<');
            out.extend_from_slice(uri);
            out.extend_from_slice(b">;q=");
            out.extend_from_slice(q_text(q).as_bytes());
        }
    }
}

/// Thousandths as `0.5`, `0.05`, `1`.
fn q_text(q: u16) -> String {
    let text = format!("{}.{:03}", q / 1000, q % 1000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
