//! What an operator can set about transactions.

use bytes::Bytes;

use crate::method::Method;

/// Which failures a failure route leaves to be compared with those of the branches
/// that it adds (Kamailio's `failure_reply_mode`, and `t_drop_replies` for one
/// transaction).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum DropReplies {
    /// All of them (0; `"n"`).
    Nothing,
    /// None; without a new branch the answer is a 500 (1; `"a"`).
    All,
    /// Those before the last set of branches; as `All` without a new branch (2; `"l"`).
    LastSet,
    /// None if there is a new branch, else all (3).
    #[default]
    IfNewBranch,
}

/// What becomes of a branch that is to be cancelled before any response came
/// (Kamailio's `cancel_b_method`).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum CancelUnreplied {
    /// It counts as answered with 487 and is not retransmitted any more (0). The
    /// CANCEL follows if a provisional response comes after all.
    Assume487,
    /// The INVITE is retransmitted until there is a provisional response to cancel
    /// (1; RFC 3261 section 9.1).
    #[default]
    Wait,
    /// The CANCEL is sent at once (2), against section 9.1.
    AtOnce,
}

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
    /// Which earlier failures count once a failure route has run.
    pub drop_replies: DropReplies,
    /// How a branch is cancelled that has not said anything yet.
    pub cancel_unreplied: CancelUnreplied,
    /// Timer C starts anew with every provisional response (section 16.7 step 2);
    /// otherwise with the first one, and with rising codes from 180 on (Kamailio's
    /// `restart_fr_on_each_reply`).
    pub restart_timer_c: bool,
    /// Send 100 to an INVITE without being told (Kamailio's `auto_inv_100`).
    pub auto_trying: bool,
    /// Its reason phrase (Kamailio's `auto_inv_100_reason`); empty for "Trying".
    pub trying_reason: Bytes,
    /// Answer an INVITE whose only branch has not said a word with 408 (Kamailio's
    /// `noisy_ctimer`); otherwise drop it in silence, unless a failure route is armed.
    pub answer_silence: bool,
    /// Whether requests without a unique branch (RFC 2543) must have the same
    /// Request-URI to be the same (Kamailio's `ruri_matching`).
    pub ruri_matching: bool,
    /// Whether they must have the same top Via (Kamailio's `via1_matching`).
    pub via1_matching: bool,
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
            drop_replies: DropReplies::IfNewBranch,
            cancel_unreplied: CancelUnreplied::Wait,
            restart_timer_c: true,
            auto_trying: true,
            trying_reason: Bytes::new(),
            answer_silence: true,
            ruri_matching: true,
            via1_matching: true,
            cancel_reason: true,
            max_branches: 64,
            reply_headers: Bytes::new(),
        }
    }
}

impl TxConfig {
    /// The age at which the branches of a request end.
    #[must_use]
    pub const fn lifetime_ms(&self, method: Method) -> u32 {
        match method {
            Method::Invite => self.max_inv_lifetime_ms,
            _ => self.max_noninv_lifetime_ms,
        }
    }

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
