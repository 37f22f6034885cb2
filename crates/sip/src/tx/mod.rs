//! Transactions and forking (RFC 3261 sections 16 and 17).
