//! A server and a request, for targets that need some.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use sipwright_sip::Message;
use sipwright_sip::script::{Alias, Context, Env, RrConfig};
use sipwright_sip::types::{Flow, Proto, SocketInfo};

/// Wall clock of contexts, in microseconds.
const NOW: u64 = 1_795_352_011_574_127;

const INVITE: &[u8] = b"INVITE sip:bob:pw@example.com:25070;transport=udp;x=1 SIP/2.0\r\n\
    Via: SIP/2.0/UDP 10.0.0.1:5062;branch=z9hG4bKa;rport\r\n\
    Via: SIP/2.0/TCP 10.0.0.2;branch=z9hG4bKb\r\n\
    Max-Forwards: 70\r\n\
    From: \"Alice A\" <sip:alice@example.com:5070;tp=1>;tag=ft1\r\n\
    To: <sip:bob@example.org>\r\n\
    Call-ID: cid-1\r\n\
    CSeq: 102 INVITE\r\n\
    Contact: <sip:alice@10.0.0.1:5062;transport=udp>;expires=30\r\n\
    X-A: one\r\n\
    Supported: 100rel, timer\r\n\
    Content-Type: application/sdp\r\n\
    Content-Length: 5\r\n\r\nv=0\r\n";

/// Where messages come from.
pub(crate) fn source() -> SocketAddr {
    SocketAddr::from(([192, 0, 2, 7], 5060))
}

/// How messages come over this transport.
pub(crate) fn flow(proto: Proto) -> Flow {
    Flow {
        proto,
        socket: 0,
        remote: source(),
        conn: 1,
    }
}

/// A request that is sound.
pub(crate) fn invite() -> Message {
    Message::parse(Bytes::from_static(INVITE)).expect("a sound request")
}

/// A message as a script sees it.
pub(crate) fn context(msg: Message) -> Context {
    let socket = |id, proto| SocketInfo {
        id,
        proto,
        addr: SocketAddr::from(([127, 0, 0, 1], 5060)),
        advertise: None,
        name: None,
    };
    let env = Env {
        sockets: vec![socket(0, Proto::Udp), socket(1, Proto::Tcp)],
        aliases: vec![Alias {
            proto: None,
            host: "example.com".into(),
            port: None,
            subdomains: false,
        }],
        version: "5.6.3".into(),
        server_header: "Sipwright".into(),
        rr: RrConfig {
            enable_full_lr: true,
            ..RrConfig::default()
        },
        ..Env::default()
    };
    Context::new(Arc::new(env), Arc::new(msg), flow(Proto::Udp), NOW)
}
