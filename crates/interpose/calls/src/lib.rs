//! vmmc-calls
