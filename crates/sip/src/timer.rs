//! Timers with a virtual clock.
