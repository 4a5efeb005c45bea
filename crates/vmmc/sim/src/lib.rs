//! vmmc-sim
