//! vmmc-shm
