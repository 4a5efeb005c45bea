//! Starting a broker on demand.
fn main() {}
