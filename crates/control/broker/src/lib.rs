//! vmmc-broker
