//! What an operator can set about transactions.

use bytes::Bytes;

/// Timers and policy of a [`super::TxLayer`]. All times in milliseconds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TxConfig {
    /// T1, the round-trip time estimate (RFC 3261 section 17.1.1.1). At least 1.
    pub t1_ms: u32,
    /// T2, the longest retransmission interval (section 17.1.2.2).
    pub t2_ms: u32,
    /// T4, how long a message may stay in the network (section 17.1.2.2).
    pub t4_ms: u32,
    /// Timers B and F: no response at all to INVITE, no final response to
    /// others (Kamailio's `fr_timer`; RFC 3261 says 64 * T1).
    pub fr_timer_ms: u32,
    /// Timer C: no final response to INVITE after a provisional one (section 16.6
    /// step 11; Kamailio's `fr_inv_timer`; the RFC asks for over 3 minutes).
    pub fr_inv_timer_ms: u32,
    /// Timer D on unreliable transports (section 17.1.1.2: at least 32 s).
    pub timer_d_ms: u32,
    /// After so long without an answer a 100 goes to an INVITE (section 17.2.1).
    pub trying_ms: u32,
    /// INVITE branches end at this age (Kamailio's `max_inv_lifetime`).
    pub max_inv_lifetime_ms: u32,
    /// Branches of other requests end at this age (Kamailio's `max_noninv_lifetime`).
    pub max_noninv_lifetime_ms: u32,
    /// Forward a 503 as 500 (section 16.7 step 6; Kamailio's `remap_503_500`).
    pub remap_503: bool,
    /// Say with a Reason header field (RFC 3326) in our CANCELs why a branch
    /// ended (Kamailio's `local_cancel_reason`).
    pub cancel_reason: bool,
    /// Most branches of one transaction over its whole life.
    pub max_branches: u16,
    /// Header lines with CRLF for responses that the layer builds itself, such as Server.
    pub reply_headers: Bytes,
}

impl Default for TxConfig {
    /// RFC 3261 table 4, and Kamailio's values where it differs.
    fn default() -> Self {
        Self {
            t1_ms: 500,
            t2_ms: 4_000,
            t4_ms: 5_000,
            fr_timer_ms: 30_000,
            fr_inv_timer_ms: 120_000,
            timer_d_ms: 32_000,
            trying_ms: 200,
            max_inv_lifetime_ms: 180_000,
            max_noninv_lifetime_ms: 32_000,
            remap_503: true,
            cancel_reason: true,
            max_branches: 64,
            reply_headers: Bytes::new(),
        }
    }
}

impl TxConfig {
    /// 64 * T1: Timers H, J, L, M, and the wait after a CANCEL.
    #[must_use]
    pub const fn t1_64_ms(&self) -> u32 {
        self.t1_ms.saturating_mul(64)
    }

    /// When a client's Timer E first runs at T2, which is when RFC 4320 section
    /// 4.1 wants a 100 to a non-INVITE request: T1 + 2 T1 + 4 T1 ... below T2.
    #[must_use]
    pub fn timer_e_at_t2_ms(&self) -> u32 {
        let (mut sum, mut interval) = (0_u32, self.t1_ms.max(1));
        while interval < self.t2_ms {
            sum = sum.saturating_add(interval);
            interval = interval.saturating_mul(2);
        }
        sum
    }
}
