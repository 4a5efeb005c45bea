//! vmmc-conformance
