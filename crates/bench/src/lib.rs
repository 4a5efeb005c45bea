//! vmmc-bench
