//! Counters of the transport. Relaxed atomics: each is right, a snapshot is not
//! one instant.

use std::sync::atomic::{AtomicU64, Ordering};

use sipwright_sip::types::Proto;

/// A counter or a gauge.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds one.
    pub fn inc(&self) {
        self.add(1);
    }

    /// Takes one away (gauges).
    pub fn dec(&self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }

    /// Adds `n`.
    pub fn add(&self, n: u64) {
        self.0.fetch_add(n, Ordering::Relaxed);
    }

    /// Makes it `n` if it is less.
    pub fn raise(&self, n: u64) {
        self.0.fetch_max(n, Ordering::Relaxed);
    }

    /// Its value now.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

macro_rules! stats {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {
        /// What the transport counts; names are those of the metrics.
        #[derive(Debug, Default)]
        pub struct Stats { $($(#[$doc])* pub $name: Counter,)* }

        impl Stats {
            /// Every counter by name, in a fixed order.
            #[must_use]
            pub fn snapshot(&self) -> Vec<(&'static str, u64)> {
                vec![$((stringify!($name), self.$name.get()),)*]
            }
        }
    };
}

stats! {
    /// Messages received by UDP.
    received_udp,
    /// Messages received by TCP.
    received_tcp,
    /// Messages received by TLS.
    received_tls,
    /// Messages received by WebSocket, with or without TLS.
    received_ws,
    /// HTTP requests received.
    received_http,
    /// HTTP responses sent, those to requests that could not be read left out.
    sent_http,
    /// Connections upgraded to WebSocket.
    websockets_opened,
    /// Pings, or unasked pongs, sent to silent WebSocket clients.
    websocket_keepalives,
    /// WebSocket connections closed because of malformed frames.
    malformed_websockets,
    /// Messages handed to the kernel by UDP.
    sent_udp,
    /// Messages flushed to TCP.
    sent_tcp,
    /// Messages flushed to TLS.
    sent_tls,
    /// Messages flushed to WebSocket, with or without TLS.
    sent_ws,
    /// Datagrams that were keep-alives: only CR, LF or NUL bytes.
    udp_keepalives,
    /// Datagrams dropped because the socket buffer was full (EAGAIN).
    udp_send_full,
    /// Datagrams the kernel refused: unreachable network, too long.
    udp_send_errors,
    /// Datagrams of ours that did not arrive, as ICMP said.
    udp_unreachable,
    /// Datagrams read by the relief reader while no worker waited.
    udp_relief_read,
    /// Times the relief reader took over.
    relief_activations,
    /// Errors while reading UDP.
    udp_receive_errors,
    /// Connections open now (gauge).
    connections_open,
    /// Connections accepted.
    connections_accepted,
    /// Connections we opened.
    connections_opened,
    /// Connections closed, for any reason.
    connections_closed,
    /// Connections refused: too many in all.
    refused_connections_max,
    /// Connections refused: too many from one source.
    refused_per_source,
    /// Connections refused: too many handshakes in progress.
    refused_handshakes_max,
    /// Errors of accept, such as too many open files.
    accept_errors,
    /// TLS handshakes in progress (gauge).
    handshakes_pending,
    /// TLS handshakes completed.
    handshakes_ok,
    /// TLS handshakes completed by resuming a session.
    handshakes_resumed,
    /// TLS handshakes failed: the other side sent an alert.
    handshakes_failed_alert,
    /// TLS handshakes failed: its certificate, or lack of one.
    handshakes_failed_certificate,
    /// TLS handshakes failed: no common version, cipher or the like.
    handshakes_failed_incompatible,
    /// TLS handshakes failed: not TLS, or broken TLS.
    handshakes_failed_protocol,
    /// TLS handshakes failed: connection closed or reset.
    handshakes_failed_closed,
    /// TLS handshakes failed: timeout.
    handshakes_failed_timeout,
    /// Connections that we opened and the script refused (`tls:connection-out`).
    refused_by_script,
    /// Connections closed for broken TLS after the handshake, attempts to renegotiate among it.
    tls_errors,
    /// Connections closed for want of traffic.
    timeouts_idle,
    /// Connections closed in the middle of a message.
    timeouts_message,
    /// Outgoing connections that were not established in time.
    timeouts_connect,
    /// Outgoing connections refused or unreachable.
    connect_errors,
    /// Streams closed because of a malformed message.
    malformed_streams,
    /// Streams closed because of a message above the limit.
    oversize_messages,
    /// CRLFCRLF keep-alives answered (RFC 5626 section 4.4.1).
    pings_answered,
    /// Messages not sent: write buffer of the connection full.
    write_buffer_full,
    /// Messages not sent: connection failed before they were flushed.
    send_failures,
    /// Connections moved from one thread to another.
    connections_moved,
    /// Panics caught in engine threads; each is a bug.
    thread_panics,
}

impl Stats {
    /// Counter of messages received by a transport.
    #[must_use]
    pub const fn received(&self, proto: Proto) -> &Counter {
        match proto {
            Proto::Udp => &self.received_udp,
            Proto::Tcp => &self.received_tcp,
            Proto::Tls => &self.received_tls,
            Proto::Ws | Proto::Wss => &self.received_ws,
        }
    }

    /// Counter of messages sent by a transport.
    #[must_use]
    pub const fn sent(&self, proto: Proto) -> &Counter {
        match proto {
            Proto::Udp => &self.sent_udp,
            Proto::Tcp => &self.sent_tcp,
            Proto::Tls => &self.sent_tls,
            Proto::Ws | Proto::Wss => &self.sent_ws,
        }
    }
}
