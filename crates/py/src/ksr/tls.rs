//! `KSR.tls`: the TLS connection of the message (Kamailio's module tls).

use sipwright_engine::net::TlsInfo;
use sipwright_engine::tls::{self, Verdict, vars};
use sipwright_sip::script::Value;
use sipwright_sip::script::pv::Index;

use super::{Out, ksr_table, read};
use crate::scope;

fn info() -> Option<TlsInfo> {
    let conn = scope::with(|c| c.ctx.flow.conn);
    scope::core().bound()?.tls_info(conn)
}

ksr_table! { "tls";
    /// Whether the message came by TLS from a peer with a valid certificate: 1 or -1.
    is_peer_verified() -> Int = |_| {
        let valid = info().is_some_and(|info| info.verdict == Verdict::Valid);
        Out::from(if valid { 1 } else { -1 })
    };
    /// The TLS profile with that `server_id` is used for the next connection that this
    /// worker opens; an empty str takes it back.
    set_connect_server_id(srvid: Str) -> Int = |c| {
        let id = c.str(0);
        tls::set_next_server_id((!id.is_empty()).then(|| id.to_owned()));
        Out::from(1)
    };
    /// What the variable `$tls_` with that name, or `$tls(name)`, has; an empty str when
    /// it has nothing.
    cget(name: Str) -> Xval = |c| {
        let found = info().and_then(|info| {
            let class = format!("tls_{}", c.str(0));
            vars::get(&info, "tls", c.str(0), Index::None).or_else(|| vars::get(&info, &class, "", Index::None))
        });
        match found {
            None | Some(Value::Null) => read(|_| Value::borrowed(b"").into()),
            Some(value) => value.into(),
        }
    };
}
