//! Values of header fields: addresses, parameters, Via.

use sipwright_sip::nameaddr::parse_nameaddr;
use sipwright_sip::params::unquote;
use sipwright_sip::{NameAddr, Params, Span, Via};

/// Parts lie within the value, and both readers of addresses agree.
pub fn check(data: &[u8]) {
    let span = Span::new(0, data.len() as u32);
    let owned = NameAddr::parse(data, span);
    let borrowed = parse_nameaddr(data);
    assert_eq!(owned.is_ok(), borrowed.is_ok());
    if let (Ok(owned), Ok(borrowed)) = (owned, borrowed) {
        assert_eq!(owned.uri.of(data), borrowed.uri);
        assert_eq!(owned.display.of(data), borrowed.display);
        assert_eq!(owned.params.of(data), borrowed.params);
        assert_eq!(owned.bracketed, borrowed.bracketed);
        let _ = borrowed.params().count();
        assert!(unquote(borrowed.display).len() <= borrowed.display.len());
    }
    if let Ok(via) = Via::parse(data, span) {
        let _ = via.port_or_default();
        if let Some(branch) = via.branch {
            assert!(span.contains(branch));
        }
    }
    let mut length = 0;
    for (name, value) in Params::new(data) {
        length += name.len() + value.map_or(0, <[u8]>::len);
        assert!(!name.is_empty() || value.is_some() || data.len() > 1);
    }
    assert!(length <= data.len());
}
