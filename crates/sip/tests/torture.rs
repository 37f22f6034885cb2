//! The messages of RFC 4475, bit-exact, against its verdicts as far as parsing goes.
//!
//! They lie next to the workspace in `shared/torture/rfc4475`, or where
//! `SIPWRIGHT_SHARED` says.

use std::path::PathBuf;

use bytes::Bytes;
use sipwright_sip::build::{ViaFix, response};
use sipwright_sip::frame::{Frame, Framer};
use sipwright_sip::nameaddr::parse_nameaddr;
use sipwright_sip::uri::{Scheme, unescape};
use sipwright_sip::{ErrorKind, HeaderId, Message, Method, Uri};

/// What parsing says.
enum Verdict {
    /// Valid, or wrong only where a proxy does not look: the method as written.
    Forward(&'static str),
    /// A valid response of that code.
    Response(u16),
    /// A request that is refused with that code and can be answered.
    Refuse(u16, ErrorKind),
    /// A response that is dropped.
    Drop(ErrorKind),
}
use Verdict::{Drop, Forward, Refuse, Response};

const LENGTH: ErrorKind = ErrorKind::Header(HeaderId::ContentLength);
const CSEQ: ErrorKind = ErrorKind::Header(HeaderId::CSeq);

const VERDICTS: &[(&str, Verdict)] = &[
    // 3.1.1: valid messages.
    ("wsinv", Forward("INVITE")),
    (
        "intmeth",
        Forward("!interesting-Method0123456789_*+`.%indeed'~"),
    ),
    ("esc01", Forward("INVITE")),
    ("escnull", Forward("REGISTER")),
    ("esc02", Forward("RE%47IST%45R")),
    ("lwsdisp", Forward("OPTIONS")),
    ("longreq", Forward("INVITE")),
    ("dblreq", Forward("REGISTER")),
    ("semiuri", Forward("OPTIONS")),
    ("transports", Forward("OPTIONS")),
    ("mpart01", Forward("MESSAGE")),
    ("unreason", Response(200)),
    ("noreason", Response(100)),
    // 3.1.2: invalid messages.
    ("badinv01", Refuse(400, ErrorKind::Header(HeaderId::Via))),
    ("clerr", Refuse(400, ErrorKind::Truncated)),
    ("ncl", Refuse(400, LENGTH)),
    ("scalar02", Refuse(400, CSEQ)),
    ("scalarlg", Drop(CSEQ)),
    ("quotbal", Refuse(400, ErrorKind::Header(HeaderId::To))),
    ("ltgtruri", Refuse(400, ErrorKind::RequestUri)),
    ("lwsruri", Refuse(400, ErrorKind::StartLine)),
    ("lwsstart", Refuse(400, ErrorKind::StartLine)),
    ("trws", Refuse(400, ErrorKind::StartLine)),
    ("escruri", Refuse(400, ErrorKind::RequestUri)),
    ("baddate", Forward("INVITE")), // "elements are encouraged to be liberal": Date is not read
    ("regbadct", Forward("REGISTER")), // for the registrar to refuse
    ("badaspec", Forward("OPTIONS")), // blanks inside brackets are ignored
    ("baddn", Refuse(400, ErrorKind::Unterminated)), // also lacks its empty line
    ("badvers", Refuse(505, ErrorKind::Version)),
    ("mismatch01", Refuse(400, ErrorKind::MethodMismatch)),
    ("mismatch02", Refuse(400, ErrorKind::MethodMismatch)),
    ("bigcode", Drop(ErrorKind::Status)),
    // 3.2: transaction layer.
    ("badbranch", Forward("OPTIONS")),
    // 3.3: application layer.
    ("insuf", Refuse(400, ErrorKind::Missing(HeaderId::From))),
    ("unkscm", Forward("OPTIONS")),
    ("novelsc", Forward("OPTIONS")),
    ("unksm2", Forward("REGISTER")),
    ("bext01", Forward("OPTIONS")),
    ("invut", Forward("INVITE")),
    ("regaut01", Forward("REGISTER")),
    ("multi01", Refuse(400, ErrorKind::Duplicate(HeaderId::CSeq))),
    (
        "mcl01",
        Refuse(400, ErrorKind::Duplicate(HeaderId::ContentLength)),
    ),
    ("bcast", Response(200)),
    ("zeromf", Forward("OPTIONS")),
    ("cparam01", Forward("REGISTER")),
    ("cparam02", Forward("REGISTER")),
    ("regescrt", Forward("REGISTER")),
    ("sdp01", Forward("INVITE")),
    // 3.4: backward compatibility.
    ("inv2543", Forward("INVITE")),
];

/// The directory of the messages, or `None` with a note where they are missing.
fn directory() -> Option<PathBuf> {
    let shared = std::env::var_os("SIPWRIGHT_SHARED").map(PathBuf::from);
    let beside = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared");
    let dir = shared.unwrap_or_else(beside).join("torture/rfc4475");
    if dir.is_dir() {
        return Some(dir);
    }
    eprintln!("NOT TESTED: no RFC 4475 messages in {}", dir.display());
    None
}

/// One message by name, if the messages are there.
fn load(name: &str) -> Option<Bytes> {
    let path = directory()?.join(format!("{name}.dat"));
    let bytes = std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    Some(bytes.into())
}

fn parsed(name: &str) -> Option<Message> {
    Some(Message::parse(load(name)?).unwrap_or_else(|e| panic!("{name}: {e}")))
}

#[test]
fn every_message_gets_its_verdict() {
    for (name, verdict) in VERDICTS {
        let Some(bytes) = load(name) else { return };
        match (verdict, Message::parse(bytes)) {
            (Forward(method), Ok(msg)) => {
                assert!(msg.is_request(), "{name}");
                assert_eq!(msg.method_name(), method.as_bytes(), "{name}");
            }
            (Response(code), Ok(msg)) => assert_eq!(msg.status(), *code, "{name}"),
            (Refuse(status, kind), Err(e)) => {
                assert_eq!((e.kind, e.status), (*kind, Some(*status)), "{name}");
                assert!(e.partial.is_some(), "{name}");
            }
            (Drop(kind), Err(e)) => {
                assert_eq!((e.kind, e.status), (*kind, None), "{name}");
                assert!(e.partial.is_none(), "{name}");
            }
            (_, Ok(_)) => panic!("{name} was accepted"),
            (_, Err(e)) => panic!("{name}: {e}"),
        }
    }
}

#[test]
fn no_message_is_left_out() {
    let Some(dir) = directory() else { return };
    let mut files: Vec<_> = std::fs::read_dir(dir)
        .expect("readable")
        .map(|f| {
            f.expect("readable")
                .file_name()
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    files.sort();
    let mut table: Vec<_> = VERDICTS.iter().map(|v| format!("{}.dat", v.0)).collect();
    table.sort();
    assert_eq!(files, table);
}

#[test]
fn refused_requests_can_be_answered() {
    for (name, verdict) in VERDICTS {
        let Refuse(status, _) = verdict else { continue };
        let Some(bytes) = load(name) else { return };
        let partial = Message::parse(bytes).expect_err(name).partial.expect(name);
        let out = response(
            &partial,
            *status,
            b"",
            Some(b"t"),
            b"",
            b"",
            &ViaFix::default(),
        );
        let start = format!("SIP/2.0 {status} ");
        assert!(out.starts_with(start.as_bytes()), "{name}");
        assert!(out.ends_with(b"Content-Length: 0\r\n\r\n"), "{name}");
    }
}

#[test]
fn wsinv_is_understood_in_full() {
    let Some(msg) = parsed("wsinv") else { return };
    assert_eq!(msg.to_tag(), Some(&b"1918181833n"[..]));
    assert_eq!(msg.from_tag(), Some(&b"98asjd8"[..]));
    assert_eq!(msg.max_forwards(), Some(68));
    assert_eq!((msg.cseq(), msg.content_length()), (9, Some(150)));
    let vias: Vec<_> = msg.vias().collect::<Result<_, _>>().expect("three Vias");
    let hosts: Vec<_> = vias.iter().map(|v| msg.get(v.host)).collect();
    assert_eq!(
        hosts,
        [
            &b"192.0.2.2"[..],
            b"spindle.example.com",
            b"192.168.255.111"
        ]
    );
    let branches: Vec<_> = vias
        .iter()
        .filter_map(|v| v.branch)
        .map(|b| msg.get(b))
        .collect();
    assert_eq!(
        branches,
        [&b"390skdjuw"[..], b"z9hG4bK9ikj8", b"z9hG4bK30239"]
    );
    let route = msg.values(HeaderId::Route).next().expect("Route");
    let route = parse_nameaddr(msg.get(route)).expect("an address");
    assert!(Uri::parse(route.uri).expect("a URI").lr());
    let contact = msg.values(HeaderId::Contact).next().expect("Contact");
    let contact = parse_nameaddr(msg.get(contact)).expect("an address");
    assert_eq!(contact.param(b"q"), Some(&b"0.33"[..]));
}

#[test]
fn escapes_stay_as_they_are_until_asked_for() {
    let Some(msg) = parsed("esc01") else { return };
    let uri = Uri::parse(msg.uri()).expect("a URI");
    assert_eq!(
        (uri.user, uri.host),
        (Some(&b"sips%3Auser%40example.com"[..]), &b"example.net"[..])
    );
    let Some(msg) = parsed("escnull") else { return };
    let to = Uri::parse(msg.get(msg.to().uri)).expect("a URI");
    assert_eq!(unescape(to.user.unwrap_or_default()), b"null-\0-null");
    let Some(msg) = parsed("esc02") else { return };
    assert_eq!(msg.method(), Method::Other);
    assert_eq!(
        msg.all(HeaderId::Contact).count(),
        2,
        "C%6Fntact is another header"
    );
}

#[test]
fn unknown_transports_are_no_obstacle() {
    let Some(msg) = parsed("transports") else {
        return;
    };
    let known: Vec<_> = msg
        .vias()
        .map(|v| v.expect("valid").proto.is_some())
        .collect();
    assert_eq!(known, [true, false, true, false, true]);
}

#[test]
fn bad_contacts_are_for_the_registrar_to_see() {
    for (name, valid) in [
        ("regbadct", false),
        ("regescrt", true),
        ("cparam01", true),
        ("cparam02", true),
    ] {
        let Some(msg) = parsed(name) else { return };
        let value = msg.values(HeaderId::Contact).next().expect("Contact");
        assert_eq!(parse_nameaddr(msg.get(value)).is_ok(), valid, "{name}");
    }
}

#[test]
fn unknown_schemes_are_seen() {
    for (name, scheme) in [
        ("unkscm", "nobodyKnowsThisScheme"),
        ("novelsc", "soap.beep"),
    ] {
        let Some(msg) = parsed(name) else { return };
        let uri = Uri::parse(msg.uri()).expect("a URI");
        assert_eq!(
            (uri.scheme, uri.scheme_name),
            (Scheme::Other, scheme.as_bytes())
        );
    }
}

#[test]
fn on_a_stream_dblreq_is_two_requests_and_clerr_waits() {
    let (Some(double), Some(short)) = (load("dblreq"), load("clerr")) else {
        return;
    };
    let mut framer = Framer::new(65_536);
    framer.push(&double);
    let mut methods = Vec::new();
    // The body of the second is longer than it says; what remains is no message.
    while let Ok(Some(frame)) = framer.next_frame() {
        if let Frame::Message(bytes) = frame {
            methods.push(Message::parse(bytes).expect("valid").method());
        }
    }
    assert_eq!(methods, [Method::Register, Method::Invite]);
    let mut framer = Framer::new(65_536);
    framer.push(&short);
    assert_eq!(framer.next_frame().expect("valid so far"), None);
}
