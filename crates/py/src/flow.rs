//! Small frozen values that modules written in Python read: contacts and flows.

use std::collections::HashMap;

use pyo3::prelude::*;
use sipwright_sip::nameaddr::NameAddrRef;
use sipwright_sip::types::Flow as SipFlow;

/// One value of a Contact header (RFC 3261 section 20.10).
#[pyclass(frozen, module = "sipwright._engine", get_all)]
pub struct Contact {
    /// The URI without brackets, `"*"` for all contacts.
    pub uri: String,
    /// Display name as written, empty when absent.
    pub display: String,
    /// Header parameters by lower-case name; an empty value for those without one.
    pub params: HashMap<String, String>,
}

impl Contact {
    /// `Contact: *` (RFC 3261 section 10.2.2), which is no address.
    pub fn all() -> Self {
        Self {
            uri: "*".to_owned(),
            display: String::new(),
            params: HashMap::new(),
        }
    }

    /// Owned copy of a parsed value.
    pub fn new(contact: &NameAddrRef<'_>) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let params = contact
            .params()
            .map(|(name, value)| {
                (
                    text(name).to_ascii_lowercase(),
                    text(value.unwrap_or_default()),
                )
            })
            .collect();
        Self {
            uri: text(contact.uri),
            display: text(contact.display),
            params,
        }
    }
}

#[pymethods]
impl Contact {
    fn __repr__(&self) -> String {
        format!("Contact({:?}, params={:?})", self.uri, self.params)
    }
}

/// The path of a message: transport, other side, our socket, connection.
#[pyclass(frozen, module = "sipwright._engine", get_all)]
pub struct Flow {
    /// `"udp"`, `"tcp"`, `"tls"`, `"ws"` or `"wss"`.
    pub proto: &'static str,
    /// Address of the other side.
    pub ip: String,
    /// Port of the other side.
    pub port: u16,
    /// Index of our socket.
    pub socket: u16,
    /// Our socket as `proto:address:port`.
    pub socket_name: String,
    /// Connection, 0 for UDP.
    pub conn: u64,
}

impl Flow {
    /// The flow with the name of its socket.
    pub fn new(flow: &SipFlow, socket_name: String) -> Self {
        Self {
            proto: flow.proto.as_str(),
            ip: flow.remote.ip().to_string(),
            port: flow.remote.port(),
            socket: flow.socket,
            socket_name,
            conn: flow.conn,
        }
    }
}

#[pymethods]
impl Flow {
    fn __repr__(&self) -> String {
        format!(
            "Flow({}:{}:{} on {})",
            self.proto, self.ip, self.port, self.socket_name
        )
    }
}
