//! Getters of module kemix: `KSR.kx`.
