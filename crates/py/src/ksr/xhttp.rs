//! `KSR.xhttp`: HTTP requests on SIP's sockets (Kamailio's module xhttp).

use sipwright_sip::script::Value;

use super::{ksr_table, read};
use crate::scope;

ksr_table! { "xhttp";
    /// Answers the HTTP request of the route of `xhttp:request`, once; content type and body may
    /// be empty. 0 for success, as in Kamailio; -1 where there is none, it was answered, or reason or type have line breaks.
    xhttp_reply(code: Int, reason: Str, content_type: Str, body: Str) -> Int = |c| {
        let core = scope::core();
        let Some(code) = u16::try_from(c.int(0)).ok().filter(|n| (200..600).contains(n)) else {
            return (-1).into();
        };
        scope::with(|x| core.xhttp_reply(x, code, c.bytes(1), c.bytes(2), c.bytes(3))).into()
    };
    /// The URI of the HTTP request, as `$hu`.
    get_hu() -> Xval = |_| read(|x| Value::opt(x.msg.is_http().then(|| x.msg.uri())).into());
}
