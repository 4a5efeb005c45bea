//! vmmc-preload
