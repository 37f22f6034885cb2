//! Location tables: the bindings of users, for the registrar written in Python.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pyo3::prelude::*;
use sipwright_engine::session::Current;
use sipwright_sip::location::{
    self, AorRules, Binding as Kept, Found, ReplyRules, Rules, State, Table, canonical_aor,
    push_contacts, refresh,
};

use crate::scope;

/// A copy of one binding; changes count once it is put into a table.
#[pyclass(module = "sipwright._engine", get_all, set_all)]
#[derive(Clone)]
pub struct Binding {
    /// Address-of-record.
    pub aor: String,
    /// URI of the contact.
    pub uri: String,
    /// When it ends, in seconds since 1970; 0 for never.
    pub expires_at: i64,
    /// Preference in thousandths, -1 when the contact named none.
    pub q: i16,
    /// Call-ID of the registration.
    pub call_id: String,
    /// Its sequence number.
    pub cseq: u32,
    /// Its User-Agent.
    pub user_agent: String,
    /// URI of the NAT that it came through.
    pub received: String,
    /// Value of a Route header field (RFC 3327).
    pub path: String,
    /// Our socket as `proto:address:port`.
    pub socket: String,
    /// Connection, 0 for none.
    pub connection: u64,
    /// Flags of the binding itself.
    pub flags: u32,
    /// Branch flags.
    pub cflags: u32,
    /// Methods of Allow as bits; all of them when it named none.
    pub methods: u32,
    /// `+sip.instance` (RFC 5626).
    pub instance: String,
    /// Flow of the instance, 0 for none.
    pub reg_id: u32,
    /// Server that took the registration.
    pub server_id: u32,
    /// Record id.
    pub ruid: String,
    /// Values of the script kept with it, as text.
    pub attributes: String,
    /// When it was last changed, in seconds since 1970.
    pub modified_at: i64,
    /// When its contact last showed that it is there.
    pub seen_at: i64,
    /// 0 never written to the database, 1 as it is there, 2 changed since.
    pub state: u8,
}

impl Binding {
    fn new_from(aor: &str, b: &Kept) -> Self {
        Self {
            aor: aor.to_owned(),
            uri: b.uri.to_string(),
            expires_at: b.expires_at,
            q: b.q,
            call_id: b.call_id.to_string(),
            cseq: b.cseq,
            user_agent: b.user_agent.to_string(),
            received: b.received.to_string(),
            path: b.path.to_string(),
            socket: b.socket.to_string(),
            connection: b.connection,
            flags: b.flags,
            cflags: b.cflags,
            methods: b.methods,
            instance: b.instance.to_string(),
            reg_id: b.reg_id,
            server_id: b.server_id,
            ruid: b.ruid.to_string(),
            attributes: b.attributes.to_string(),
            modified_at: b.modified_at,
            seen_at: b.seen_at,
            state: b.state as u8,
        }
    }

    fn kept(&self, table: &mut Table) -> Kept {
        Kept {
            uri: self.uri.as_str().into(),
            ruid: self.ruid.as_str().into(),
            call_id: self.call_id.as_str().into(),
            received: self.received.as_str().into(),
            path: self.path.as_str().into(),
            instance: self.instance.as_str().into(),
            attributes: self.attributes.as_str().into(),
            user_agent: table.shared(&self.user_agent),
            socket: table.shared(&self.socket),
            expires_at: self.expires_at,
            modified_at: self.modified_at,
            seen_at: self.seen_at,
            connection: self.connection,
            cseq: self.cseq,
            flags: self.flags,
            cflags: self.cflags,
            methods: self.methods,
            reg_id: self.reg_id,
            server_id: self.server_id,
            q: self.q,
            state: match self.state {
                1 => State::Sync,
                2 => State::Dirty,
                _ => State::New,
            },
        }
    }
}

#[pymethods]
impl Binding {
    #[new]
    #[pyo3(signature = (aor, uri, expires_at, /, **attributes))]
    fn new(
        py: Python<'_>,
        aor: String,
        uri: String,
        expires_at: i64,
        attributes: Option<&Bound<'_, pyo3::types::PyDict>>,
    ) -> PyResult<Py<Self>> {
        let mut new = Self::new_from(&aor, &Kept::default());
        (new.uri, new.expires_at) = (uri, expires_at);
        (new.q, new.methods) = (location::NO_Q, u32::MAX);
        let new = Py::new(py, new)?;
        for (name, value) in attributes.into_iter().flatten() {
            new.bind(py)
                .setattr(name.cast::<pyo3::types::PyString>()?, value)?;
        }
        Ok(new)
    }

    /// Another copy.
    fn copy(&self) -> Self {
        self.clone()
    }

    fn __repr__(&self) -> String {
        format!("Binding({:?}, {:?}, {:?})", self.aor, self.uri, self.ruid)
    }
}

/// The bindings of one location table. A method sees and makes a change as a whole.
#[pyclass(frozen, module = "sipwright._engine")]
pub struct LocationTable {
    table: Mutex<Table>,
}

impl LocationTable {
    /// Never held while anything waits, nor while Python is called.
    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn copies(found: Vec<(Arc<str>, Kept)>) -> Vec<Binding> {
    found
        .iter()
        .map(|(aor, b)| Binding::new_from(aor, b))
        .collect()
}

#[pymethods]
impl LocationTable {
    #[new]
    #[pyo3(signature = (*, newest_first=false, tracked=false))]
    fn new(newest_first: bool, tracked: bool) -> Self {
        Self {
            table: Mutex::new(Table::new(newest_first, tracked)),
        }
    }

    fn __len__(&self) -> usize {
        self.lock().len()
    }

    /// Number of addresses-of-record.
    fn users(&self) -> usize {
        self.lock().users()
    }

    /// All bindings of an address-of-record, ended ones included, in the order in which they are tried.
    #[pyo3(signature = (aor, /))]
    fn get(&self, aor: &str) -> Vec<Binding> {
        let table = self.lock();
        table
            .get(aor)
            .iter()
            .map(|b| Binding::new_from(aor, b))
            .collect()
    }

    /// The address-of-record of the binding with an instance that has that record id; None when there is none.
    #[pyo3(signature = (ruid, /))]
    fn aor_of(&self, ruid: &str) -> Option<String> {
        self.lock().aor_of(ruid).map(str::to_owned)
    }

    /// Adds a binding, or replaces the one with its record id.
    #[pyo3(signature = (binding, /))]
    fn put(&self, binding: PyRef<'_, Binding>) {
        let mut table = self.lock();
        let new = binding.kept(&mut table);
        table.put(&binding.aor, new);
    }

    /// Removes the binding with that record id; whether it was there.
    #[pyo3(signature = (aor, ruid, /))]
    fn remove(&self, aor: &str, ruid: &str) -> bool {
        self.lock().remove(aor, ruid).is_some()
    }

    /// Removes all bindings of an address-of-record; their number.
    #[pyo3(signature = (aor, /))]
    fn remove_all(&self, aor: &str) -> usize {
        self.lock().remove_all(aor).len()
    }

    /// Notes that the contact of a binding is there at that time; whether it is known.
    #[pyo3(signature = (aor, ruid, seen_at, /))]
    fn seen(&self, aor: &str, ruid: &str, seen_at: i64) -> bool {
        self.lock().seen(aor, ruid, seen_at)
    }

    /// Removes what has ended by `now` from the next `count` users from `start` on: where to go on, 0 at the end, and
    /// what was removed.
    #[pyo3(signature = (start, count, now, /))]
    fn sweep(&self, start: u32, count: u32, now: i64) -> (u32, Vec<Binding>) {
        let mut ended = Vec::new();
        let next = self.lock().sweep(start, count, now, &mut ended);
        (next, copies(ended))
    }

    /// The bindings of the next `count` users from `start` on: where to go on, 0 at the end, and the bindings.
    #[pyo3(signature = (start, count, /))]
    fn page(&self, start: u32, count: u32) -> (u32, Vec<Binding>) {
        let mut found = Vec::new();
        let next = self.lock().page(start, count, |_| true, &mut found);
        (next, copies(found))
    }

    /// As `page`, but only bindings that came by a connection.
    #[pyo3(signature = (start, count, /))]
    fn connected(&self, start: u32, count: u32) -> (u32, Vec<Binding>) {
        let mut found = Vec::new();
        let next = self
            .lock()
            .page(start, count, |b| b.connection != 0, &mut found);
        (next, copies(found))
    }

    /// What the database does not know yet, at most `limit` users of it: bindings to write, with the state that they had,
    /// and removed ones. They count as written from here on.
    #[pyo3(signature = (limit, /))]
    fn take_changes(&self, limit: usize) -> (Vec<Binding>, Vec<Binding>) {
        let changes = self.lock().take_changes(limit);
        (copies(changes.written), copies(changes.removed))
    }

    /// How much the database does not know yet.
    fn pending(&self) -> usize {
        self.lock().pending()
    }
}

/// What of the registrar's settings the engine needs.
#[pyclass(frozen, module = "sipwright._engine")]
pub struct RegistrarRules(Rules);

#[pymethods]
impl RegistrarRules {
    #[new]
    #[pyo3(signature = (*, use_domain, case_sensitive, realm_prefix, received_param, default_expires_s, min_expires_s,
        max_expires_s, default_q, gruu))]
    #[allow(clippy::too_many_arguments, clippy::fn_params_excessive_bools)]
    fn new(
        use_domain: bool,
        case_sensitive: bool,
        realm_prefix: String,
        received_param: String,
        default_expires_s: i64,
        min_expires_s: i64,
        max_expires_s: i64,
        default_q: i16,
        gruu: bool,
    ) -> Self {
        Self(Rules {
            aor: AorRules {
                use_domain,
                case_sensitive,
                realm_prefix,
            },
            reply: ReplyRules { received_param },
            default_expires: default_expires_s,
            min_expires: min_expires_s,
            max_expires: max_expires_s,
            default_q,
            gruu,
        })
    }

    /// The address-of-record of a URI as tables have it; None for text that is no SIP, SIPS or TEL URI.
    #[pyo3(signature = (uri, /))]
    fn aor(&self, uri: &str) -> Option<String> {
        canonical_aor(uri.as_bytes(), &self.0.aor)
            .map(|aor| String::from_utf8_lossy(&aor).into_owned())
    }

    /// The Contact line that tells a client its bindings at the time `now`, without CRLF, empty when none is left;
    /// `gruu` is user and host of the address-of-record if it is to be told its GRUUs.
    #[pyo3(signature = (bindings, gruu, now, /))]
    fn contact_line(
        &self,
        bindings: Vec<PyRef<'_, Binding>>,
        gruu: Option<(String, String)>,
        now: i64,
    ) -> String {
        let mut scratch = Table::default();
        let kept: Vec<Kept> = bindings.iter().map(|b| b.kept(&mut scratch)).collect();
        let gruu = gruu.as_ref().map(|(u, h)| (u.as_bytes(), h.as_bytes()));
        let mut line = Vec::new();
        push_contacts(&mut line, &kept, &self.0.reply, gruu, now);
        line.truncate(line.len().saturating_sub(2));
        String::from_utf8_lossy(&line).into_owned()
    }

    /// Answers the REGISTER in work and prolongs its binding, if it repeats the one that made the binding in all but
    /// time. False when it is anything else; nothing has changed then.
    ///
    /// `received` is the URI of the NAT it came through; None takes that of `fix_nated_register`.
    #[pyo3(signature = (table, received, /))]
    fn refresh(&self, table: &LocationTable, received: Option<&str>) -> bool {
        let core = scope::core();
        scope::with(|c| {
            let done = self.refreshed(table, c, received);
            if done {
                core.send_reply(c, 200, b"OK");
            }
            done
        })
    }
}

impl RegistrarRules {
    /// Makes the contacts of the request-URI's user the destinations of the request in work, or the best alone, if they
    /// are plain: true; false when the user has none; `None` when it is for Python to look at. Nothing has changed then.
    pub fn lookup(&self, table: &LocationTable, only_first: bool) -> Option<bool> {
        scope::with(|c| {
            let now = seconds(c);
            match location::lookup(&table.lock(), &mut c.ctx, &self.0, only_first, now) {
                Found::Contacts => Some(true),
                Found::Nothing => Some(false),
                Found::NotPlain => None,
            }
        })
    }

    fn refreshed(&self, table: &LocationTable, c: &mut Current, received: Option<&str>) -> bool {
        let Some(socket) = c
            .ctx
            .recv_socket()
            .map(|s| format!("{}:{}", s.proto, s.addr))
        else {
            return false;
        };
        let received = match received {
            Some(uri) => uri.as_bytes().to_vec(),
            None => c.ctx.received.clone().unwrap_or_default(),
        };
        let now = seconds(c);
        refresh(
            &mut table.lock(),
            &mut c.ctx,
            &self.0,
            &received,
            &socket,
            now,
        )
    }
}

/// Seconds since 1970 of the message in work.
fn seconds(c: &Current) -> i64 {
    i64::try_from(c.ctx.now / 1_000_000).unwrap_or(0)
}

/// The methods of a list such as `INVITE, ACK` as the bits that location tables keep.
#[pyfunction]
#[pyo3(signature = (list, /))]
pub fn methods_mask(list: &str) -> u32 {
    location::methods_mask(list.as_bytes())
}
