/// What a grant lets its importer do. Every grant lets it notify.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Permission {
    /// Notify alone: every update is refused with [`WriteError::ReadOnly`](crate::WriteError::ReadOnly).
    ReadOnly,
    /// Write and notify.
    Write,
}
