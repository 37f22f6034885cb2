//! `KSR.kx`: getters without pseudo-variables (Kamailio's module kemix).

use sipwright_sip::script::kx;

use super::{ksr_table, read};

ksr_table! { "kx";
    /// Bytes of the body.
    get_bodylen() -> Int = |_| read(|x| kx::get_bodylen(x).into());
    /// Bytes of the message.
    get_msglen() -> Int = |_| read(|x| kx::get_msglen(x).into());
    /// 1 for a request, 2 for a response.
    get_msgtype() -> Int = |_| read(|x| kx::get_msgtype(x).into());
    /// Status code, -1 for a request.
    get_status() -> Int = |_| read(|x| kx::get_status(x).into());
    /// Number of the transport, as `$prid`.
    get_protoid() -> Int = |_| read(|x| kx::get_protoid(x).into());
    /// Number of the connection, -1 without one.
    get_conid() -> Int = |_| read(|x| kx::get_conid(x).into());
    /// When the message came, seconds since 1970.
    get_timestamp() -> Int = |_| read(|x| kx::get_timestamp(x).into());
    /// Port of the forced socket, or 0.
    get_send_sock_port() -> Int = |_| read(|x| kx::get_send_sock_port(x).into());
    /// Value of a preprocessor define.
    get_def(name: Str) -> Xval = |c| read(|x| kx::get_def(x, c.bytes(0)).into());
    /// Value of a define as a number, 0 when it is none.
    get_defn(name: Str) -> Int = |c| read(|x| kx::get_defn(x, c.bytes(0)).into());
    /// Value of a variable of the server's environment, None when it has none.
    get_env(name: Str) -> Xval = |c| kx::get_env(c.bytes(0)).into();
    /// Value of a variable of the server's environment as a number, 0 when it is none.
    get_envn(name: Str) -> Int = |c| kx::get_envn(c.bytes(0)).into();
    /// Whether a preprocessor define of that name exists.
    ifdef(name: Str) -> Bool = |c| read(|x| kx::ifdef(x, c.bytes(0)).into());
    /// Whether no preprocessor define of that name exists.
    ifndef(name: Str) -> Bool = |c| read(|x| kx::ifndef(x, c.bytes(0)).into());
    /// The request-URI in force.
    get_ruri() -> Xval = |_| read(|x| kx::get_ruri(x).into());
    /// The request-URI as received.
    get_ouri() -> Xval = |_| read(|x| kx::get_ouri(x).into());
    /// The destination URI.
    get_duri() -> Xval = |_| read(|x| kx::get_duri(x).into());
    /// As `get_duri`, but an empty str when there is none.
    gete_duri() -> Xval = |_| read(|x| kx::e(kx::get_duri(x)).into());
    /// As `get_duri`, but `<null>` when there is none.
    getw_duri() -> Xval = |_| read(|x| kx::w(kx::get_duri(x)).into());
    /// Destination URI, or the request-URI when there is none.
    get_nhuri() -> Xval = |_| read(|x| kx::get_nhuri(x).into());
    /// User of the request-URI.
    get_ruser() -> Xval = |_| read(|x| kx::get_ruser(x).into());
    /// As `get_ruser`, but an empty str when there is none.
    gete_ruser() -> Xval = |_| read(|x| kx::e(kx::get_ruser(x)).into());
    /// As `get_ruser`, but `<null>` when there is none.
    getw_ruser() -> Xval = |_| read(|x| kx::w(kx::get_ruser(x)).into());
    /// Host of the request-URI.
    get_rhost() -> Xval = |_| read(|x| kx::get_rhost(x).into());
    /// As `get_rhost`, but an empty str when there is none.
    gete_rhost() -> Xval = |_| read(|x| kx::e(kx::get_rhost(x)).into());
    /// As `get_rhost`, but `<null>` when there is none.
    getw_rhost() -> Xval = |_| read(|x| kx::w(kx::get_rhost(x)).into());
    /// URI of From.
    get_furi() -> Xval = |_| read(|x| kx::get_furi(x).into());
    /// User of From.
    get_fuser() -> Xval = |_| read(|x| kx::get_fuser(x).into());
    /// As `get_fuser`, but an empty str when there is none.
    gete_fuser() -> Xval = |_| read(|x| kx::e(kx::get_fuser(x)).into());
    /// As `get_fuser`, but `<null>` when there is none.
    getw_fuser() -> Xval = |_| read(|x| kx::w(kx::get_fuser(x)).into());
    /// Host of From.
    get_fhost() -> Xval = |_| read(|x| kx::get_fhost(x).into());
    /// As `get_fhost`, but an empty str when there is none.
    gete_fhost() -> Xval = |_| read(|x| kx::e(kx::get_fhost(x)).into());
    /// As `get_fhost`, but `<null>` when there is none.
    getw_fhost() -> Xval = |_| read(|x| kx::w(kx::get_fhost(x)).into());
    /// URI of To.
    get_turi() -> Xval = |_| read(|x| kx::get_turi(x).into());
    /// User of To.
    get_tuser() -> Xval = |_| read(|x| kx::get_tuser(x).into());
    /// As `get_tuser`, but an empty str when there is none.
    gete_tuser() -> Xval = |_| read(|x| kx::e(kx::get_tuser(x)).into());
    /// As `get_tuser`, but `<null>` when there is none.
    getw_tuser() -> Xval = |_| read(|x| kx::w(kx::get_tuser(x)).into());
    /// Host of To.
    get_thost() -> Xval = |_| read(|x| kx::get_thost(x).into());
    /// As `get_thost`, but an empty str when there is none.
    gete_thost() -> Xval = |_| read(|x| kx::e(kx::get_thost(x)).into());
    /// As `get_thost`, but `<null>` when there is none.
    getw_thost() -> Xval = |_| read(|x| kx::w(kx::get_thost(x)).into());
    /// URI of the first contact, with the alias of `set_contact_alias`.
    get_cturi() -> Xval = |_| read(|x| kx::get_cturi(x).into());
    /// As `get_cturi`, but an empty str when there is none.
    gete_cturi() -> Xval = |_| read(|x| kx::e(kx::get_cturi(x)).into());
    /// As `get_cturi`, but `<null>` when there is none.
    getw_cturi() -> Xval = |_| read(|x| kx::w(kx::get_cturi(x)).into());
    /// Call-ID.
    get_callid() -> Xval = |_| read(|x| kx::get_callid(x).into());
    /// User-Agent.
    get_ua() -> Xval = |_| read(|x| kx::get_ua(x).into());
    /// As `get_ua`, but an empty str when there is none.
    gete_ua() -> Xval = |_| read(|x| kx::e(kx::get_ua(x)).into());
    /// As `get_ua`, but `<null>` when there is none.
    getw_ua() -> Xval = |_| read(|x| kx::w(kx::get_ua(x)).into());
    /// Method of the request, of CSeq in a response.
    get_method() -> Xval = |_| read(|x| kx::get_method(x).into());
    /// The body, null when empty.
    get_body() -> Xval = |_| read(|x| kx::get_body(x).into());
    /// As `get_body`, but an empty str when there is none.
    gete_body() -> Xval = |_| read(|x| kx::e(kx::get_body(x)).into());
    /// As `get_body`, but `<null>` when there is none.
    getw_body() -> Xval = |_| read(|x| kx::w(kx::get_body(x)).into());
    /// The message as received.
    get_msgbuf() -> Xval = |_| read(|x| kx::get_msgbuf(x).into());
    /// Status code as text; null in requests.
    gets_status() -> Xval = |_| read(|x| kx::gets_status(x).into());
    /// Source address.
    get_srcip() -> Xval = |_| read(|x| kx::get_srcip(x).into());
    /// Source port.
    get_srcport() -> Xval = |_| read(|x| kx::get_srcport(x).into());
    /// Source as a URI.
    get_srcuri() -> Xval = |_| read(|x| kx::get_srcuri(x).into());
    /// Source as `proto:address:port`.
    get_srcaddr_sock() -> Xval = |_| read(|x| kx::get_srcaddr_sock(x).into());
    /// Transport, in lower case.
    get_proto() -> Xval = |_| read(|x| kx::get_proto(x).into());
    /// Address of our socket.
    get_rcvip() -> Xval = |_| read(|x| kx::get_rcvip(x).into());
    /// Port of our socket.
    get_rcvport() -> Xval = |_| read(|x| kx::get_rcvport(x).into());
    /// Advertised address of our socket.
    get_rcvadvip() -> Xval = |_| read(|x| kx::get_rcvadvip(x).into());
    /// Advertised port of our socket.
    get_rcvadvport() -> Xval = |_| read(|x| kx::get_rcvadvport(x).into());
    /// Our socket as `proto:address:port`.
    get_rcvaddr_sock() -> Xval = |_| read(|x| kx::get_rcvaddr_sock(x).into());
    /// Name of our socket.
    get_rcv_sock_name() -> Xval = |_| read(|x| kx::get_rcv_sock_name(x).into());
    /// The socket to send from, if forced.
    get_send_sock() -> Xval = |_| read(|x| kx::get_send_sock(x).into());
    /// Name of the socket to send from, if one is forced.
    get_send_sock_name() -> Xval = |_| read(|x| kx::get_send_sock_name(x).into());
    /// User of the credentials.
    get_au() -> Xval = |_| read(|x| kx::get_au(x).into());
    /// As `get_au`, but an empty str when there is none.
    gete_au() -> Xval = |_| read(|x| kx::e(kx::get_au(x)).into());
    /// As `get_au`, but `<null>` when there is none.
    getw_au() -> Xval = |_| read(|x| kx::w(kx::get_au(x)).into());
}
