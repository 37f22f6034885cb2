//! Module corex.
