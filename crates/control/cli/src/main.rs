//! vmmc
fn main() {}
