//! A look-up for which the table says all there is to know.

use std::net::SocketAddr;

use crate::script::{Binding as Chosen, BranchTarget, Context, Env};
use crate::types::SocketId;

use super::aor::canonical_aor;
use super::binding::{Binding, NO_Q};
use super::refresh::Rules;
use super::table::Table;

/// What came of a look-up.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Found {
    /// The request goes to the user's contacts.
    Contacts,
    /// The user has none; nothing has changed.
    Nothing,
    /// It is for the registrar to look at, for a GRUU (RFC 5627), a path (RFC 3327) or a URI that names no user of
    /// ours; nothing has changed.
    NotPlain,
}

/// Makes the contacts of the request-URI's user the destinations of the request, in the order in which the table has
/// them; with `only_first` the first alone (RFC 3261 section 16.5).
pub fn lookup(
    table: &Table,
    ctx: &mut Context,
    rules: &Rules,
    only_first: bool,
    now: i64,
) -> Found {
    if rules.gruu && memchr::memmem::find(ctx.uri(), b";gr").is_some() {
        return Found::NotPlain;
    }
    let Some(aor) = canonical_aor(ctx.uri(), &rules.aor) else {
        return Found::NotPlain;
    };
    let Ok(aor) = std::str::from_utf8(&aor) else {
        return Found::NotPlain;
    };
    let mut live = table.get(aor).iter().filter(|b| b.is_live(now));
    if live.clone().any(|b| !is_plain(b)) {
        return Found::NotPlain;
    }
    let Some(first) = live.next() else {
        return Found::Nothing;
    };
    let others: Vec<BranchTarget> = if only_first {
        Vec::new()
    } else {
        live.map(|b| target(b, &ctx.env)).collect()
    };
    set_main(ctx, first);
    ctx.branches.extend(others);
    Found::Contacts
}

/// Neither a path to go along, nor line ends that a database may have brought in.
fn is_plain(binding: &Binding) -> bool {
    let breaks = |text: &str| memchr::memchr2(b'\r', b'\n', text.as_bytes()).is_some();
    binding.path.is_empty() && !breaks(&binding.uri) && !breaks(&binding.received)
}

fn set_main(ctx: &mut Context, binding: &Binding) {
    let target = target(binding, &ctx.env);
    ctx.set_uri(target.uri);
    ctx.dst_uri = target.dst_uri;
    ctx.path_vec = None;
    ctx.bflags = target.flags;
    ctx.force_socket = target.socket.or(ctx.force_socket);
    ctx.q = target.q;
    ctx.binding = Some(Box::new(Chosen {
        ruid: target.ruid,
        location_ua: target.location_ua,
        instance: target.instance,
        reg_id: target.reg_id,
    }));
}

fn target(binding: &Binding, env: &Env) -> BranchTarget {
    let text = |text: &str| (!text.is_empty()).then(|| text.as_bytes().to_vec());
    BranchTarget {
        uri: binding.uri.as_bytes().to_vec(),
        dst_uri: text(&binding.received),
        path: None,
        q: u16::try_from(binding.q).ok().filter(|_| binding.q != NO_Q),
        flags: binding.cflags,
        socket: socket(&binding.socket, env),
        instance: text(&binding.instance),
        reg_id: binding.reg_id,
        ruid: text(&binding.ruid),
        location_ua: text(&binding.user_agent),
        flow: None,
    }
}

/// Our socket of that name, `proto:address:port`.
fn socket(name: &str, env: &Env) -> Option<SocketId> {
    let (proto, addr) = name.split_once(':')?;
    let addr: SocketAddr = addr.parse().ok()?;
    let found = env
        .sockets
        .iter()
        .find(|s| s.addr == addr && s.proto.as_str() == proto)?;
    Some(found.id)
}
