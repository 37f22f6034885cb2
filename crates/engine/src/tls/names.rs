//! Which domains a certificate speaks for (RFC 5922 section 7).

use rustls_pki_types::{CertificateDer, ServerName};
use webpki::EndEntityCert;
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

/// Whether the certificate is for that domain. SIP URIs in its subjectAltName
/// count before DNS names, and these before the common name, which counts only if
/// there is no subjectAltName at all (section 7.1).
pub fn is_for(
    cert: &EndEntityCert<'_>,
    der: &CertificateDer<'_>,
    name: &ServerName<'_>,
    wildcards: bool,
) -> Result<(), Vec<String>> {
    let ServerName::DnsName(domain) = name else {
        return address(cert, der, name);
    };
    let domain = domain.as_ref().trim_end_matches('.');
    let presented = identities(der);
    let matches = presented.iter().any(|identity| {
        identity.eq_ignore_ascii_case(domain) || (wildcards && covers(identity, domain))
    });
    if matches { Ok(()) } else { Err(presented) }
}

/// An address as next hop: an iPAddress of the certificate, or `sip:` with it.
fn address(
    cert: &EndEntityCert<'_>,
    der: &CertificateDer<'_>,
    name: &ServerName<'_>,
) -> Result<(), Vec<String>> {
    if cert.verify_is_valid_for_subject_name(name).is_ok() {
        return Ok(());
    }
    let presented = identities(der);
    let wanted = match name {
        ServerName::IpAddress(ip) => std::net::IpAddr::from(*ip).to_string(),
        _ => return Err(presented),
    };
    let bare = |text: &String| text.trim_matches(['[', ']']).to_owned();
    if presented.iter().any(|p| bare(p) == wanted) {
        Ok(())
    } else {
        Err(presented)
    }
}

/// `*.example.org` for one label.
fn covers(pattern: &str, domain: &str) -> bool {
    let Some(parent) = pattern.strip_prefix("*.") else {
        return false;
    };
    domain
        .split_once('.')
        .is_some_and(|(_, rest)| parent.contains('.') && parent.eq_ignore_ascii_case(rest))
}

/// The SIP domain identities of a certificate.
#[must_use]
pub fn identities(der: &CertificateDer<'_>) -> Vec<String> {
    let Ok((_, cert)) = X509Certificate::from_der(der) else {
        return Vec::new();
    };
    let Ok(Some(names)) = cert.subject_alternative_name() else {
        return common_names(&cert);
    };
    let (mut uris, mut dns) = (Vec::new(), Vec::new());
    for name in &names.value.general_names {
        match name {
            GeneralName::URI(uri) => uris.extend(sip_domain(uri)),
            GeneralName::DNSName(name) => dns.push((*name).to_owned()),
            _ => {}
        }
    }
    if uris.is_empty() { dns } else { uris }
}

fn common_names(cert: &X509Certificate<'_>) -> Vec<String> {
    let names = cert.subject().iter_common_name();
    names
        .filter_map(|n| n.as_str().ok())
        .map(str::to_owned)
        .collect()
}

/// The host of a `sip:` or `sips:` URI without a user (section 7.2 step 2); one with a user
/// is somebody's, not a domain's.
fn sip_domain(uri: &str) -> Option<String> {
    let (scheme, rest) = uri.split_once(':')?;
    let is_sip = scheme.eq_ignore_ascii_case("sip") || scheme.eq_ignore_ascii_case("sips");
    if !is_sip || rest.contains('@') {
        return None;
    }
    let end = rest.find([';', '?']).unwrap_or(rest.len());
    let host_port = &rest[..end];
    let host = match host_port.rfind(']') {
        Some(end) => &host_port[..=end],
        None => host_port
            .split_once(':')
            .map_or(host_port, |(host, _)| host),
    };
    (!host.is_empty()).then(|| host.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn domains_of_sip_uris() {
        let cases = [
            ("sip:example.org", Some("example.org")),
            ("SIP:example.org:5061;transport=tls", Some("example.org")),
            ("sips:example.org", Some("example.org")),
            ("sip:[2001:db8::1]:5061", Some("[2001:db8::1]")),
            ("sip:alice@example.org", None),
            ("https://example.org", None),
            ("sip:", None),
        ];
        for (uri, domain) in cases {
            assert_eq!(sip_domain(uri).as_deref(), domain, "{uri}");
        }
    }

    #[test]
    fn a_wildcard_stands_for_one_label_and_no_top_level() {
        assert!(covers("*.example.org", "sip.example.org"));
        assert!(!covers("*.example.org", "a.b.example.org"));
        assert!(!covers("*.example.org", "example.org"));
        assert!(!covers("*.org", "example.org"));
    }
}
