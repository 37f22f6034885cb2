//! Checks of a message before it is routed (module sanity).
