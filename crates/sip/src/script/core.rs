//! Functions of the core: `KSR.is_method_in`, flags, transport wishes.
