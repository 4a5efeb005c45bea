//! vmmc-socket
