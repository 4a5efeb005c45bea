//! The whole, tested.
