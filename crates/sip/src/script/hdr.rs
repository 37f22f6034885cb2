//! Header fields: `KSR.hdr`.
