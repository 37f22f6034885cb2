//! Header field names and where a header field is in its message.

use crate::scan;
use crate::types::Span;

macro_rules! header_ids {
    ($($(#[$doc:meta])* $id:ident = $name:literal $(| $compact:literal)?;)*) => {
        /// Header field names known to the parser; others are [`HeaderId::Other`].
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        #[repr(u8)]
        pub enum HeaderId {
            $(#[doc = concat!("`", $name, "`.")] $id,)*
            /// Any other name.
            Other,
        }

        /// Every known name with its compact form, in the order of [`HeaderId`].
        const NAMES: &[(HeaderId, &str, Option<u8>)] = &[
            $((HeaderId::$id, $name, header_ids!(@compact $($compact)?)),)*
        ];
    };
    (@compact) => { None };
    (@compact $c:literal) => { Some($c) };
}

header_ids! {
    Via = "Via" | b'v';
    From = "From" | b'f';
    To = "To" | b't';
    CallId = "Call-ID" | b'i';
    CSeq = "CSeq";
    Contact = "Contact" | b'm';
    MaxForwards = "Max-Forwards";
    Route = "Route";
    RecordRoute = "Record-Route";
    ContentLength = "Content-Length" | b'l';
    ContentType = "Content-Type" | b'c';
    ContentEncoding = "Content-Encoding" | b'e';
    ContentDisposition = "Content-Disposition";
    Expires = "Expires";
    MinExpires = "Min-Expires";
    Path = "Path";
    ServiceRoute = "Service-Route";
    Authorization = "Authorization";
    ProxyAuthorization = "Proxy-Authorization";
    WwwAuthenticate = "WWW-Authenticate";
    ProxyAuthenticate = "Proxy-Authenticate";
    ProxyRequire = "Proxy-Require";
    Require = "Require";
    Supported = "Supported" | b'k';
    Unsupported = "Unsupported";
    UserAgent = "User-Agent";
    Server = "Server";
    Event = "Event" | b'o';
    AllowEvents = "Allow-Events" | b'u';
    SubscriptionState = "Subscription-State";
    Date = "Date";
    Allow = "Allow";
    Accept = "Accept";
    RetryAfter = "Retry-After";
    Subject = "Subject" | b's';
    Timestamp = "Timestamp";
    Warning = "Warning";
    Reason = "Reason";
    ReferTo = "Refer-To" | b'r';
    ReferredBy = "Referred-By" | b'b';
    Replaces = "Replaces";
    SessionExpires = "Session-Expires" | b'x';
    MinSe = "Min-SE";
    Identity = "Identity" | b'y';
    RequestDisposition = "Request-Disposition" | b'd';
    AcceptContact = "Accept-Contact" | b'a';
    RejectContact = "Reject-Contact" | b'j';
    PAssertedIdentity = "P-Asserted-Identity";
    PPreferredIdentity = "P-Preferred-Identity";
    RemotePartyId = "Remote-Party-ID";
    Privacy = "Privacy";
    Diversion = "Diversion";
    HistoryInfo = "History-Info";
    Rack = "RAck";
    Rseq = "RSeq";
    SipEtag = "SIP-ETag";
    SipIfMatch = "SIP-If-Match";
    MimeVersion = "MIME-Version";
}

/// Slots of the hash table over [`NAMES`]; a power of two.
const SLOTS: usize = 256;

/// Header by the hash of its name. No two names share a slot, or this does not compile.
const BY_NAME: [HeaderId; SLOTS] = {
    let mut table = [HeaderId::Other; SLOTS];
    let mut i = 0;
    while i < NAMES.len() {
        let slot = hash(NAMES[i].1.as_bytes());
        assert!(matches!(table[slot], HeaderId::Other));
        table[slot] = NAMES[i].0;
        i += 1;
    }
    table
};

/// Header by compact letter.
const BY_LETTER: [HeaderId; 26] = {
    let mut table = [HeaderId::Other; 26];
    let mut i = 0;
    while i < NAMES.len() {
        if let Some(letter) = NAMES[i].2 {
            table[(letter - b'a') as usize] = NAMES[i].0;
        }
        i += 1;
    }
    table
};

/// A hash of length and two letters, the same for either case; 0 for an empty name.
#[inline]
const fn hash(name: &[u8]) -> usize {
    match (name.first(), name.last()) {
        (Some(&first), Some(&last)) => {
            let (first, last) = ((first | 0x20) as usize, (last | 0x20) as usize);
            (first + (last + name.len()) * 11) % SLOTS
        }
        _ => 0,
    }
}

/// Whether a name is that one in another case; few senders write it so.
#[cold]
fn same_letters(known: &str, name: &[u8]) -> bool {
    known.as_bytes().eq_ignore_ascii_case(name)
}

impl HeaderId {
    /// The header of that name: any case, long or compact form (RFC 3261 section 7.3.3).
    #[must_use]
    #[inline(always)]
    pub fn of(name: &[u8]) -> Self {
        if let [c] = name {
            let letter = c.to_ascii_lowercase().wrapping_sub(b'a');
            let id = BY_LETTER.get(usize::from(letter));
            return id.copied().unwrap_or(Self::Other);
        }
        let id = BY_NAME[hash(name)];
        let known = id.canonical_name();
        if scan::same(known.as_bytes(), name) || same_letters(known, name) {
            return id;
        }
        Self::Other
    }

    /// The name as RFC 3261 and its extensions spell it; empty for [`HeaderId::Other`].
    #[must_use]
    pub fn canonical_name(self) -> &'static str {
        NAMES.get(self as usize).map_or("", |n| n.1)
    }

    /// The one-letter form in lower case, if there is one (RFC 3261 section 7.3.3).
    #[must_use]
    pub fn compact(self) -> Option<u8> {
        NAMES.get(self as usize).and_then(|n| n.2)
    }
}

/// Where a header field is in its message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Header {
    /// What the name says.
    pub id: HeaderId,
    /// The name, without colon or blanks.
    pub name: Span,
    /// The value without blanks around it; line folding inside it is kept.
    pub value: Span,
    /// From the name to the end of the last CRLF, folded lines included.
    pub full: Span,
}
