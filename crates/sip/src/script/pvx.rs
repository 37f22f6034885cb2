//! `KSR.pvx`: AVPs and variables by name.
