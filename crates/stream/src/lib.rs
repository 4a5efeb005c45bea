//! vmmc-stream
