//! vmmc-os
